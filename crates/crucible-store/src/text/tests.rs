//! The index as a whole, in a folder of its own.

mod damage;
mod fixture;
mod ranking;
mod words;
mod writing;
