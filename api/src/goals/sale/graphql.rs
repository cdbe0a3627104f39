//! Mutations of sales beyond the engine's.

use super::{record, service};
use crate::record::change::verb::{Answer, Verb, id, missing, optional_instant};

pub(super) static VERBS: [Verb; 2] = [
    Verb {
        name: "saleRegister",
        about: "Registers a sale. The same order again is answered with the sale that is there; \
                with another seller, customer, amount or currency it is a CONFLICT.",
        arguments: &[("input", "SaleUpsertInput!", "source and orderId name the sale.")],
        inputs: &[],
        answer: record::record,
        run: |session, selected| {
            Box::pin(async move {
                let given = selected.argument("input").ok_or_else(|| missing("input"))?;
                let registered = service::register(session, given).await;
                Ok(Answer::Record(registered.map_err(|error| error.within("input"))?))
            })
        },
    },
    Verb {
        name: "saleCancel",
        about: "Cancels a sale: it counts nowhere any more. One that is cancelled stays as it is.",
        arguments: &[("id", "ID!", ""), ("cancelledAt", "DateTime", "Now by default.")],
        inputs: &[],
        answer: record::record,
        run: |session, selected| {
            Box::pin(async move {
                let sale_id = id(selected, "id")?;
                service::cancel(session, sale_id, optional_instant(selected, "cancelledAt")?)
                    .await?;
                Ok(Answer::Record(sale_id))
            })
        },
    },
];
