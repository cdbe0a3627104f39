//! Rows -> response text. Values go from the database's bytes straight into the buffer.

mod shape;
mod value;

pub use shape::{write_list, write_one, write_row};
pub use value::{
    push_bool, push_date, push_float, push_instant, push_int, push_money, push_text, write_value,
};
