//! Currencies of ISO 4217. Amounts are stored in hundredths whatever the currency, so that one
//! column type and one sum serve all; currencies with three decimals would not fit and are refused.

use std::fmt;

use super::{ValueError, refusal};

const UNKNOWN: ValueError = refusal(
    "a currency is a code of ISO 4217, such as BRL",
    "uma moeda é um código da ISO 4217, como BRL",
);
const UNSUPPORTED: ValueError = refusal(
    "currencies with more than two decimals are not supported",
    "moedas com mais de duas casas decimais não são aceitas",
);

/// Active codes with two decimals (or, MGA and MRU, with fifths that are written as such).
const TWO_DECIMALS: &str = "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BOV \
     BRL BSD BTN BWP BYN BZD CAD CDF CHE CHF CHW CNY COP COU CRC CUP CVE CZK DKK DOP DZD EGP ERN \
     ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR \
     KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN \
     NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP \
     SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD USN UYU UZS VED VES \
     WST XAD XCD XCG YER ZAR ZMW ZWG";
const NO_DECIMALS: [&str; 17] = [
    "BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "UYI", "VND",
    "VUV", "XAF", "XOF", "XPF",
];
const MORE_DECIMALS: &str = "BHD CLF IQD JOD KWD LYD OMR TND UYW";

/// Normal form: three upper-case letters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Currency {
    code: &'static str,
    minor_digits: u8,
}

impl Currency {
    /// The currency of a new tenant.
    pub const BRL: Self = Self { code: "BRL", minor_digits: 2 };

    pub fn parse(text: &str) -> Result<Self, ValueError> {
        let wanted = text.trim().to_ascii_uppercase();
        let find = |codes: &'static str| codes.split(' ').find(|code| *code == wanted);
        if let Some(code) = find(TWO_DECIMALS) {
            Ok(Self { code, minor_digits: 2 })
        } else if let Some(code) = NO_DECIMALS.into_iter().find(|code| *code == wanted) {
            Ok(Self { code, minor_digits: 0 })
        } else if find(MORE_DECIMALS).is_some() {
            Err(UNSUPPORTED)
        } else {
            Err(UNKNOWN)
        }
    }

    pub fn as_str(&self) -> &'static str {
        self.code
    }

    /// How many decimals an amount is written with: 2 or 0.
    pub fn minor_digits(&self) -> u8 {
        self.minor_digits
    }
}

/// Whether amounts in a stored (so: known and upper-case) code are written without decimals.
pub fn has_no_minor_unit(code: &str) -> bool {
    NO_DECIMALS.contains(&code)
}

impl fmt::Display for Currency {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.code)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn codes_are_known_by_their_decimals() {
        for (text, digits) in
            [("BRL", 2), (" usd ", 2), ("JPY", 0), ("clp", 0), ("PYG", 0), ("KRW", 0)]
        {
            let currency = Currency::parse(text).unwrap();
            assert_eq!(currency.minor_digits(), digits);
            assert_eq!(currency.as_str(), text.trim().to_uppercase());
        }
        assert_eq!(Currency::parse("BRL"), Ok(Currency::BRL));
        for text in ["BHD", "KWD", "TND", "CLF"] {
            assert_eq!(Currency::parse(text), Err(UNSUPPORTED), "{text}");
        }
        // Withdrawn, not money, not codes.
        for text in ["", "BRR", "HRK", "BGN", "XAU", "XXX", "R$", "BRLX", "B L"] {
            assert_eq!(Currency::parse(text), Err(UNKNOWN), "{text}");
        }
    }

    #[test]
    fn every_code_is_listed_once() {
        let lists = [TWO_DECIMALS, MORE_DECIMALS];
        let mut codes: Vec<&str> = lists.iter().flat_map(|codes| codes.split(' ')).collect();
        codes.extend(NO_DECIMALS);
        let unique: HashSet<&str> = codes.iter().copied().collect();
        assert_eq!(codes.len(), unique.len());
        for code in codes {
            assert!(
                code.len() == 3 && code.bytes().all(|byte| byte.is_ascii_uppercase()),
                "{code}"
            );
        }
    }
}
