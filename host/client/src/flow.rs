//! An answer without an end that is known, which is read piece by piece for as long as somebody listens.

use crate::{Connection, Connector, Fault};
use bytes::Bytes;
use http::{Request, StatusCode, Uri};
use http_body_util::Full;
use hyper::body::Incoming;

/// An answer under way, over a connection that is for it alone and ends with it.
pub struct Flow {
    connection: Connection,
    body: Incoming,
    status: StatusCode,
}

impl Flow {
    /// Connects to the authority of a URI within 5 s, sends a request, and waits for the headers of its answer.
    pub async fn open(
        connector: &Connector,
        to: Uri,
        request: Request<Full<Bytes>>,
    ) -> Result<Self, Fault> {
        let stream = connector.connect(to).await.map_err(Fault::Connect)?;
        let connection = Connection::new(stream).await;
        let mut connection = connection.map_err(Fault::Connect)?;
        let (head, body) = connection.send(request).await?.into_parts();
        Ok(Flow {
            connection,
            body,
            status: head.status,
        })
    }

    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The next piece that is not empty, or none at the end.
    pub async fn piece(&mut self) -> Option<Result<Bytes, Fault>> {
        loop {
            let frame = match self.connection.frame(&mut self.body).await? {
                Ok(frame) => frame,
                Err(fault) => return Some(Err(fault)),
            };
            if let Ok(piece) = frame.into_data()
                && !piece.is_empty()
            {
                return Some(Ok(piece));
            }
        }
    }
}
