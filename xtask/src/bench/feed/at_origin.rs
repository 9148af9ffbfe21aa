//! What the feed costs the origin.

use std::time::Instant;

use anyhow::{Context, Result, bail};
use base64ct::{Base64, Encoding as _};
use portcullis_shared::{
    request_signature::{SignedRequest, SigningKey, sign_own},
    revocation::{Cursor, FEED_PATH, Feed},
};

use super::{MANY, SESSIONS_OF_TEN, now};
use crate::{
    bench::{
        Plan,
        http::{Answer, Client},
        origin::Origin,
        process_time,
        report::{Figure, Row},
        sample::median,
    },
    workspace::Workspace,
};

/// How many entries a delta tells: a busy two seconds.
const FEW: u64 = 10;

/// An edge that asks.
struct Edge {
    client: Client,
    key: SigningKey,
}

/// The row of the feed at the origin.
pub(in crate::bench) fn row(workspace: &Workspace, plan: &Plan) -> Result<Row> {
    let origin = Origin::start(workspace, &[])?;
    origin.sql(workspace, &fill())?;
    let secrets = origin.stack.secrets();
    let secret = Base64::decode_vec(&secrets.edge_signing_key).context("the edge's key is no base64")?;
    let mut edge = Edge {
        client: Client::connect(origin.port)?,
        key: SigningKey::new(secrets.edge_key_id.clone(), &secret)?,
    };

    let whole = edge.ask(None, None)?;
    let etag = whole.header("etag").unwrap_or_default().to_owned();
    let snapshot = Feed::parse(whole.body.as_bytes()).context("a snapshot is no feed")?;
    let entries = snapshot.sessions.len() + snapshot.subjects.len();
    if snapshot.since.is_some() || entries != MANY {
        bail!("the first answer is no snapshot of {MANY} entries: it has {entries}");
    }
    let recent = Cursor {
        seq: snapshot.seq.saturating_sub(FEW),
        ..snapshot.cursor()
    };
    let delta = Feed::parse(edge.ask(Some(recent), None)?.body.as_bytes()).context("a delta is no feed")?;
    let told = u64::try_from(delta.sessions.len() + delta.subjects.len())?;
    if delta.since != Some(recent.seq) || told != FEW {
        bail!("the answer to a recent cursor is no delta of {FEW} entries: it has {told}");
    }

    let snapshots = measure(plan, origin.pid, || edge.ask(None, None).map(|_| ()))?;
    let deltas = measure(plan, origin.pid, || edge.ask(Some(recent), None).map(|_| ()))?;
    let unchanged = measure(plan, origin.pid, || {
        let answer = edge.ask(Some(snapshot.cursor()), Some(&etag))?;
        if answer.status != 304 {
            bail!("the origin answers {} to its own entity tag", answer.status);
        }
        Ok(())
    })?;
    Ok(Row::figures(
        &format!("origin, revocation feed at {MANY} entries"),
        vec![
            Figure::new("snapshot, median of answers", snapshots.millis, "ms"),
            Figure::new("snapshot, CPU of the origin", snapshots.cpu_millis, "ms"),
            Figure::new("snapshot, body", bytes(whole.body.len()), "bytes"),
            Figure::new(&format!("{FEW} entries after a cursor"), deltas.millis, "ms"),
            Figure::new("nothing new (304)", unchanged.millis, "ms"),
        ],
    ))
}

impl Edge {
    /// Asks as the edge does: signed, with a cursor and an entity tag where there are some.
    fn ask(&mut self, cursor: Option<Cursor>, etag: Option<&str>) -> Result<Answer> {
        let query = cursor.map(|cursor| format!("cursor={cursor}"));
        let mut nonce = [0; 16];
        getrandom::fill(&mut nonce).context("the system has no random source")?;
        let nonce = format!("{:032x}", u128::from_ne_bytes(nonce));
        let authority = self.client.authority();
        let request = SignedRequest {
            method: "GET",
            authority: &authority,
            path: FEED_PATH,
            query: query.as_deref(),
            headers: &[],
        };
        let signed = sign_own(&request, &self.key, &nonce, now());
        let mut headers = vec![
            ("Signature-Input", signed.signature_input.as_str()),
            ("Signature", signed.signature.as_str()),
        ];
        headers.extend(etag.map(|etag| ("If-None-Match", etag)));
        let target = query.map_or_else(|| FEED_PATH.to_owned(), |query| format!("{FEED_PATH}?{query}"));
        let answer = self.client.send("GET", &target, &headers, None)?;
        if !matches!(answer.status, 200 | 304) {
            bail!(
                "the origin answers {} to its edge: {}",
                answer.status,
                answer.body
            );
        }
        Ok(answer)
    }
}

/// What one answer takes.
struct Cost {
    /// The median, from the request to the last byte.
    millis: f64,
    /// Of the origin, the mean.
    cpu_millis: f64,
}

fn measure(plan: &Plan, pid: u32, mut ask: impl FnMut() -> Result<()>) -> Result<Cost> {
    let before = process_time::of_group(pid).unwrap_or_default();
    let mut times = Vec::new();
    for _ in 0..plan.answers {
        let began = Instant::now();
        ask()?;
        times.push(began.elapsed().as_secs_f64() * 1e3);
    }
    let used = process_time::of_group(pid)
        .unwrap_or_default()
        .saturating_sub(before);
    Ok(Cost {
        millis: median(times.iter().copied()),
        cpu_millis: f64::from(u32::try_from(used)?) / 1e3 / f64::from(u32::try_from(times.len())?),
    })
}

/// Entries as the origin would have written them in the last ten minutes.
fn fill() -> String {
    format!(
        "INSERT INTO revocations (seq, tenant_id, session_id, user_id, not_before, published_at)
         SELECT n, (SELECT min(id::text)::uuid FROM tenants),
                CASE WHEN n % 10 < {SESSIONS_OF_TEN} THEN gen_random_uuid() END,
                CASE WHEN n % 10 >= {SESSIONS_OF_TEN} THEN gen_random_uuid() END,
                CASE WHEN n % 10 >= {SESSIONS_OF_TEN} THEN date_trunc('second', now()) END,
                now() - interval '10 minutes' * ({MANY} - n) / {MANY}
         FROM generate_series(1, {MANY}) AS n;
         UPDATE revocation_state SET seq = {MANY};
         ANALYZE revocations;"
    )
}

#[expect(clippy::cast_precision_loss, reason = "a body has far fewer than 2^52 bytes")]
fn bytes(length: usize) -> f64 {
    length as f64
}
