//! The rules, over a store and an app that do as the test says.
