//! Policies over calls of apps and of components, on a stopped clock: what Dapr does, and what it lacks.

mod budget;
mod changes;
mod deadline;
mod golden;
mod outbound;
mod precedence;
mod stage;
