//! The process at the other end of the control socket: whether it is trusted.

use tokio::net::UnixStream;

/// Says whether the other end is trusted. For the host, the file's mode keeps others out, but not in the moment before
/// it was set. For the command, whoever may write the directory may listen there, and would hear what it says.
pub fn is_trusted(stream: &UnixStream, owner: u32) -> bool {
    stream.peer_cred().is_ok_and(|peer| is(peer.uid(), owner))
}

/// The same user, or root, who may do everything anyway.
fn is(peer: u32, owner: u32) -> bool {
    peer == owner || peer == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_user_and_root_are_trusted() {
        assert!(is(1_000, 1_000) && is(0, 1_000));
        assert!(!is(65_534, 0), "root tells another user nothing");
        assert!(!is(1_001, 1_000));
    }

    #[tokio::test]
    async fn the_kernel_says_who_is_there() {
        let (here, _there) = UnixStream::pair().expect("a pair of sockets");
        let own = here.peer_cred().expect("the user of this process").uid();
        assert!(is_trusted(&here, own));
        assert_eq!(is_trusted(&here, own.wrapping_add(1)), own == 0);
    }
}
