//! Every operation of the index against a plain scan, and the follower's ways of life.

mod accents;
mod damage;
mod gone;
mod large;
mod life;
mod log;
mod matcher;
mod plain;
mod property;
