//! The interfaces that an app answers to.

/// Interfaces that an app exports.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Exports {
    pub http: bool,
    pub invocation: bool,
    pub subscriber: bool,
    pub configuration_listener: bool,
    pub binding_listener: bool,
    pub job_runner: bool,
    pub workflow_handler: bool,
    pub activity_handler: bool,
    pub actor_handler: bool,
}

impl Exports {
    /// The interfaces that make a component an app.
    pub const INTERFACES: &'static str = "wasi:http/incoming-handler, wythe:blocks/invocation-handler, \
         wythe:blocks/subscriber, wythe:blocks/binding-listener, wythe:blocks/configuration-listener, \
         wythe:blocks/job-runner, wythe:blocks/actor-handler, wythe:blocks/workflow-handler and \
         wythe:blocks/activity-handler";
}
