//! Deals: business on its way through the stages (negócios).

pub mod record;
