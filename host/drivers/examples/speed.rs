//! temporary
use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};
use wythe_blocks::{Site, pubsub, state};

fn component(block: &str, driver: &str) -> wythe_manifest::Component {
    let text = format!(
        "apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata: {{ name: c }}\nspec:\n  type: {block}.{driver}\n"
    );
    let (resources, problems) = wythe_manifest::parse_resources(&text, Path::new("a.yaml"));
    assert!(problems.is_empty(), "{problems:?}");
    resources.components[0].clone()
}
fn site(d: &Path) -> Site {
    Site {
        tenant: "default".parse().unwrap(),
        component: "c".into(),
        directory: d.into(),
    }
}
fn rate(n: usize, t: Instant) -> f64 {
    n as f64 / t.elapsed().as_secs_f64()
}
#[tokio::main]
async fn main() {
    let base = std::env::args().nth(1).unwrap();
    for driver in ["redb", "sled", "memory"] {
        let dir = tempfile::tempdir_in(&base).unwrap();
        let d = wythe_drivers::registry()
            .state
            .open(&component("state", driver), site(dir.path()))
            .await
            .unwrap();
        for writers in [1usize, 8, 64, 256] {
            let t = Instant::now();
            let tasks: Vec<_> = (0..writers)
                .map(|w| {
                    let d: Arc<dyn state::Driver> = d.clone();
                    tokio::spawn(async move {
                        let mut n = 0;
                        let mut worst = vec![];
                        while t.elapsed() < Duration::from_secs(4) {
                            let s = Instant::now();
                            d.put(state::Put::new(
                                format!("key-{w:04}-{:012}", n % 5000),
                                vec![n as u8; 256],
                            ))
                            .await
                            .unwrap();
                            worst.push(s.elapsed());
                            n += 1;
                        }
                        (n, worst)
                    })
                })
                .collect();
            let mut n = 0;
            let mut all = vec![];
            for t in tasks {
                let (c, w) = t.await.unwrap();
                n += c;
                all.extend(w);
            }
            let r = rate(n, t);
            all.sort();
            println!(
                "{driver} put {writers} writers: {r:.0}/s p50 {:?} p99 {:?}",
                all[all.len() / 2],
                all[all.len() * 99 / 100]
            );
        }
        let t = Instant::now();
        let n = 200_000;
        for i in 0..n {
            d.get(&format!("key-{:04}-{:012}", i % 64, i % 100))
                .await
                .unwrap()
                .unwrap();
        }
        println!(
            "{driver} get: {:.0} ns",
            t.elapsed().as_nanos() as f64 / n as f64
        );
        let keys: Vec<String> = (0..64)
            .map(|i| format!("key-{:04}-{:012}", i % 64, i % 100))
            .collect();
        let t = Instant::now();
        for i in 0..n {
            std::hint::black_box(d.get(&keys[i % 64]).await.unwrap().unwrap());
        }
        println!(
            "{driver} get (key ready): {:.0} ns",
            t.elapsed().as_nanos() as f64 / n as f64
        );
        let t = Instant::now();
        for _ in 0..100 {
            std::hint::black_box(d.list("key-0001", None, 100).await.unwrap());
        }
        println!(
            "{driver} list 100: {:.0} us",
            t.elapsed().as_micros() as f64 / 100.0
        );
    }
    for driver in ["redb", "memory"] {
        for publishers in [1usize, 64] {
            let dir = tempfile::tempdir_in(&base).unwrap();
            let d = wythe_drivers::registry()
                .pubsub
                .open(&component("pubsub", driver), site(dir.path()))
                .await
                .unwrap();
            let seat: Arc<dyn pubsub::Seat> = d
                .subscribe("t", "g", Default::default())
                .await
                .unwrap()
                .into();
            let t = Instant::now();
            let consumers: Vec<_> = (0..8)
                .map(|_| {
                    let seat = seat.clone();
                    tokio::spawn(async move {
                        let mut n = 0;
                        while let Ok(r) =
                            tokio::time::timeout(Duration::from_millis(500), seat.pull(32)).await
                        {
                            let r = r.unwrap();
                            n += r.len();
                            for a in seat.ack(r.into_iter().map(|r| r.receipt).collect()).await {
                                a.unwrap();
                            }
                        }
                        n
                    })
                })
                .collect();
            let tasks: Vec<_> = (0..publishers)
                .map(|_| {
                    let d: Arc<dyn pubsub::Driver> = d.clone();
                    tokio::spawn(async move {
                        let mut n = 0;
                        while t.elapsed() < Duration::from_secs(4) {
                            d.publish(
                                "t",
                                pubsub::Message {
                                    data: vec![1; 256].into(),
                                    ..Default::default()
                                },
                            )
                            .await
                            .unwrap();
                            n += 1;
                            if n % 64 == 0 {
                                tokio::task::yield_now().await;
                            }
                        }
                        n
                    })
                })
                .collect();
            let mut n = 0;
            for t in tasks {
                n += t.await.unwrap();
            }
            let r = rate(n, t);
            let mut got = 0;
            for c in consumers {
                got += c.await.unwrap();
            }
            println!(
                "{driver} publish {publishers}: {r:.0}/s; delivered {got} of {n}, {:.0}/s",
                got as f64 / (t.elapsed().as_secs_f64() - 0.5)
            );
        }
    }
}
