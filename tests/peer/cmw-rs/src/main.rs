//! Prints what veraison's decoder finds in a file of application/cmw+cbor (RFC 9999).
//!
//! usage: cmw-read FILE
//!
//! A line "collection TYPE" or "record", and a line "LABEL TYPE INDICATOR VALUE" for each record, in
//! the order of the labels. Exit status: 0, 1 refused, 2 wrong usage or a fault.
use cmw::{Monad, CMW};
use std::process::ExitCode;

fn print_record(label: &str, record: &Monad) {
    let indicator = record.indicator().map_or(0, |i| i.bits());
    let value: String = record.value().iter().map(|b| format!("{b:02x}")).collect();
    println!("{label} {} {indicator} {value}", record.type_());
}

fn print_wrapper(wrapper: &CMW) -> Result<(), String> {
    let collection = match wrapper {
        CMW::Monad(record) => {
            println!("record");
            print_record("-", record);
            return Ok(());
        }
        CMW::Collection(collection) => collection,
    };
    collection.validate().map_err(|e| e.to_string())?;
    let kind = collection.get_type().map_or(String::new(), |t| t.to_string());
    println!("collection {kind}");
    let mut meta = collection.get_meta();
    meta.sort_by_key(|m| m.key.to_string());
    for m in meta {
        match collection.get_item(&m.key) {
            Some(CMW::Monad(record)) => print_record(&m.key.to_string(), record),
            _ => return Err(format!("{}: not a record", m.key)),
        }
    }
    Ok(())
}

fn main() -> ExitCode {
    let Some(path) = std::env::args().nth(1) else {
        eprintln!("usage: cmw-read FILE");
        return ExitCode::from(2);
    };
    let bytes = match std::fs::read(&path) {
        Ok(bytes) => bytes,
        Err(e) => {
            eprintln!("cmw-read: {path}: {e}");
            return ExitCode::from(2);
        }
    };
    let outcome = CMW::deserialize(&bytes).map_err(|e| e.to_string());
    match outcome.and_then(|wrapper| print_wrapper(&wrapper)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("cmw-read: {e}");
            ExitCode::from(1)
        }
    }
}
