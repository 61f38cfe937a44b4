//! The tables of pub/sub, and the statements over them.

use crate::names::Table;

/// Bytes of messages that are taken at once.
pub(super) const MAX_TAKEN: i64 = 16 << 20;

/// The channel by which hosts tell each other of messages. It is a name of the same kind as a table's.
pub(super) fn channel(table: &Table) -> String {
    table.channel("_wake")
}

pub(super) fn steps(table: &Table) -> Vec<String> {
    let (groups, members) = (table.with("_groups"), table.with("_members"));
    vec![format!(
        "CREATE TABLE {table} (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, topic text COLLATE \"C\" NOT NULL, \
         name text COLLATE \"C\", ordering_key text COLLATE \"C\", visible_at timestamp with time zone NOT NULL, \
         attempts integer NOT NULL DEFAULT 0, owner text, size bigint NOT NULL, \
         published_at timestamp with time zone NOT NULL DEFAULT now(), content_type text NOT NULL, attributes text NOT NULL, \
         data bytea NOT NULL); \
         CREATE INDEX ON {table} (topic, name, id) INCLUDE (size); \
         CREATE INDEX ON {table} (topic, name, visible_at); \
         CREATE INDEX ON {table} (topic, name, ordering_key, id) WHERE ordering_key IS NOT NULL; \
         CREATE INDEX ON {table} (owner) WHERE owner IS NOT NULL; \
         CREATE TABLE {groups} (topic text COLLATE \"C\" NOT NULL, name text COLLATE \"C\" NOT NULL, \
         ephemeral boolean NOT NULL, PRIMARY KEY (topic, name)); \
         CREATE TABLE {members} (id text PRIMARY KEY, topic text COLLATE \"C\" NOT NULL, name text COLLATE \"C\" NOT NULL, \
         alive_until timestamp with time zone NOT NULL)"
    )]
}

/// The statements over the tables, by who says them.
pub(super) struct Sql {
    pub publishing: Publishing,
    pub joining: Joining,
    pub taking: Taking,
    pub operating: Operating,
}

impl Sql {
    pub fn new(table: &Table) -> Self {
        Sql {
            publishing: Publishing::new(table),
            joining: Joining::new(table),
            taking: Taking::new(table),
            operating: Operating::new(table),
        }
    }
}

/// Holds for a delivery `d` that a member has now.
const OUT: &str = "(d.owner IS NOT NULL AND d.visible_at > clock_timestamp())";
const SAME: &str = "d.topic = $1 AND d.name IS NOT DISTINCT FROM $2";

/// The statements of who publishes.
pub(super) struct Publishing {
    pub counts: String,
    pub is_wanted: String,
    pub publish: String,
    pub letter: String,
    pub lock_topic: String,
}

impl Publishing {
    fn new(table: &Table) -> Self {
        let groups = table.with("_groups");
        let channel = channel(table);
        Publishing {
            counts: format!(
                "SELECT coalesce(sum(n), 0)::bigint, coalesce(sum(size), 0)::bigint FROM \
                 (SELECT max(n) AS n, max(size) AS size FROM (SELECT topic, count(*) AS n, sum(size) AS size FROM {table} \
                 GROUP BY topic, name) AS by_group GROUP BY topic) AS by_topic"
            ),
            is_wanted: format!("SELECT EXISTS (SELECT 1 FROM {groups} WHERE topic = $1)"),
            publish: insert(
                table,
                &format!("SELECT name FROM {groups} WHERE topic = $1 FOR KEY SHARE"),
                &channel,
            ),
            // Nobody's name is that of who comes first.
            letter: insert(
                table,
                &format!(
                    "SELECT name FROM {groups} WHERE topic = $1 UNION ALL SELECT NULL WHERE NOT EXISTS \
                     (SELECT 1 FROM {groups} WHERE topic = $1 AND NOT ephemeral)"
                ),
                &channel,
            ),
            lock_topic: format!(
                "SELECT pg_advisory_xact_lock(hashtextextended('{channel}' || $1, 0))"
            ),
        }
    }
}

/// The statements of who joins a group, lives and leaves.
pub(super) struct Joining {
    pub enter_group: String,
    pub enter: String,
    pub adopt: String,
    pub alive: String,
    pub longer: String,
    pub release: String,
    pub leave: String,
    pub bury_members: String,
    pub lock_desolate: String,
    pub end_deliveries: String,
    pub end_groups: String,
}

impl Joining {
    fn new(table: &Table) -> Self {
        let groups = table.with("_groups");
        let members = table.with("_members");
        let channel = channel(table);
        let desolate = format!(
            "g.ephemeral AND NOT EXISTS (SELECT 1 FROM {members} AS m WHERE m.topic = g.topic AND m.name = g.name)"
        );
        Joining {
            enter_group: format!(
                "INSERT INTO {groups} AS g (topic, name, ephemeral) VALUES ($1, $2, $3) ON CONFLICT (topic, name) \
                 DO UPDATE SET ephemeral = g.ephemeral RETURNING g.ephemeral"
            ),
            enter: format!(
                "INSERT INTO {members} (id, topic, name, alive_until) VALUES ($1, $2, $3, \
                 clock_timestamp() + $4::bigint * interval '1 millisecond') \
                 ON CONFLICT (id) DO UPDATE SET alive_until = excluded.alive_until"
            ),
            adopt: format!(
                "UPDATE {table} AS d SET name = $2 WHERE d.topic = $1 AND d.name IS NULL"
            ),
            alive: format!(
                "UPDATE {members} SET alive_until = clock_timestamp() + $2::bigint * interval '1 millisecond' WHERE id = $1"
            ),
            longer: format!(
                "UPDATE {table} SET visible_at = clock_timestamp() + $3::bigint * interval '1 millisecond' \
                 WHERE owner = $1 AND id = ANY ($2)"
            ),
            release: format!(
                "WITH free AS (UPDATE {table} SET owner = NULL, visible_at = clock_timestamp() WHERE owner = $1 RETURNING id) \
                 SELECT pg_notify('{channel}', '') FROM free LIMIT 1"
            ),
            leave: format!("DELETE FROM {members} WHERE id = $1"),
            bury_members: format!("DELETE FROM {members} WHERE alive_until < clock_timestamp()"),
            // Whoever publishes to such a group or joins it is through, or waits: what comes after this sees all of it.
            lock_desolate: format!(
                "SELECT 1 FROM {groups} AS g WHERE {desolate} ORDER BY g.topic, g.name FOR UPDATE"
            ),
            end_deliveries: format!(
                "DELETE FROM {table} AS d USING {groups} AS g WHERE d.topic = g.topic AND d.name = g.name AND {desolate}"
            ),
            end_groups: format!("DELETE FROM {groups} AS g WHERE {desolate}"),
        }
    }
}

/// The statements of who takes deliveries.
pub(super) struct Taking {
    pub take: String,
    pub soonest: String,
    pub ack: String,
    pub nack: String,
}

impl Taking {
    fn new(table: &Table) -> Self {
        Taking {
            take: take(table),
            soonest: format!(
                "SELECT (extract(epoch FROM min(d.visible_at) - clock_timestamp()) * 1000)::bigint \
                 FROM {table} AS d WHERE {SAME} AND d.visible_at > clock_timestamp()"
            ),
            ack: format!(
                "DELETE FROM {table} AS d USING unnest($2::bigint[], $3::integer[]) AS done (id, attempts) \
                 WHERE d.id = done.id AND d.attempts = done.attempts AND d.owner = $1 RETURNING d.id"
            ),
            nack: format!(
                "UPDATE {table} AS d SET owner = NULL, visible_at = clock_timestamp() + $4::bigint * interval '1 microsecond' \
                 WHERE d.owner = $1 AND d.id = $2 AND d.attempts = $3"
            ),
        }
    }
}

/// The statements of operators.
pub(super) struct Operating {
    pub groups: String,
    pub list: String,
    pub delete_free: String,
    pub is_there: String,
    pub purge: String,
    pub lock_group: String,
    pub count_members: String,
    pub remove_group: String,
}

impl Operating {
    fn new(table: &Table) -> Self {
        let groups = table.with("_groups");
        let members = table.with("_members");
        Operating {
            groups: seen(table, &groups, &members),
            list: format!(
                "SELECT id, attempts, data, content_type, ordering_key, attributes, published_at FROM \
                 (SELECT d.*, sum(d.size) OVER (ORDER BY d.id) - d.size AS before FROM \
                 (SELECT * FROM {table} AS d WHERE {SAME} AND d.id > $3 ORDER BY d.id LIMIT $4) AS d) AS d \
                 WHERE before < {MAX_TAKEN} ORDER BY id"
            ),
            delete_free: format!(
                "DELETE FROM {table} AS d WHERE {SAME} AND d.id = $3 AND NOT {OUT}"
            ),
            is_there: format!(
                "SELECT EXISTS (SELECT 1 FROM {groups} WHERE topic = $1 AND name = $2), \
                 EXISTS (SELECT 1 FROM {table} AS d WHERE {SAME}), \
                 EXISTS (SELECT 1 FROM {table} AS d WHERE {SAME} AND d.id = $3)"
            ),
            purge: format!("DELETE FROM {table} AS d WHERE {SAME} AND NOT {OUT}"),
            lock_group: format!("SELECT 1 FROM {groups} WHERE topic = $1 AND name = $2 FOR UPDATE"),
            count_members: format!(
                "SELECT count(*) FROM {members} WHERE topic = $1 AND name = $2 AND alive_until > clock_timestamp()"
            ),
            remove_group: format!("DELETE FROM {groups} WHERE topic = $1 AND name = $2"),
        }
    }
}

/// Messages for each of the names; their number is the answer.
fn insert(table: &Table, names: &str, channel: &str) -> String {
    format!(
        "WITH wanting AS ({names}), sent AS (SELECT * FROM unnest($2::bytea[], $3::text[], $4::text[], $5::text[], $6::bigint[], \
         $7::bigint[]) WITH ORDINALITY AS m (data, content_type, ordering_key, attributes, delay, size, n)), \
         stored AS (INSERT INTO {table} (topic, name, ordering_key, visible_at, size, content_type, attributes, data) \
         SELECT $1, w.name, m.ordering_key, clock_timestamp() + m.delay * interval '1 microsecond', m.size, m.content_type, \
         m.attributes, m.data FROM sent AS m CROSS JOIN wanting AS w ORDER BY m.n RETURNING 1) \
         SELECT pg_notify('{channel}', '') FROM stored LIMIT 1"
    )
}

/// Takes deliveries in order; of those with one ordering key the first alone, and while no member has one of them: the first
/// may have come after a later one was taken, as its publisher was slower.
fn take(table: &Table) -> String {
    let out = format!(
        "SELECT d.ordering_key FROM {table} AS d WHERE d.topic = $1 AND d.name = $2 AND d.ordering_key IS NOT NULL AND {OUT}"
    );
    format!(
        "WITH due AS (SELECT d.id, d.size FROM {table} AS d WHERE d.topic = $1 AND d.name = $2 \
         AND d.visible_at <= clock_timestamp() AND (d.ordering_key IS NULL OR NOT EXISTS (SELECT 1 FROM {table} AS e \
         WHERE e.topic = d.topic AND e.name = d.name AND e.ordering_key = d.ordering_key AND e.id < d.id) \
         AND d.ordering_key NOT IN ({out})) \
         ORDER BY d.id LIMIT $3 FOR UPDATE SKIP LOCKED), \
         fits AS (SELECT id FROM (SELECT id, sum(size) OVER (ORDER BY id) - size AS before FROM due) AS d WHERE before < {MAX_TAKEN}) \
         UPDATE {table} AS d SET owner = $4, attempts = d.attempts + 1, \
         visible_at = clock_timestamp() + $5::bigint * interval '1 millisecond' FROM fits WHERE d.id = fits.id \
         RETURNING d.id, d.attempts, d.data, d.content_type, d.ordering_key, d.attributes"
    )
}

fn seen(table: &Table, groups: &Table, members: &Table) -> String {
    format!(
        "SELECT g.topic, g.name, g.ephemeral, (SELECT count(*) FROM {members} AS m WHERE m.topic = g.topic AND m.name = g.name \
         AND m.alive_until > clock_timestamp()), coalesce(d.n, 0), coalesce(d.taken, 0), coalesce(d.size, 0)::bigint, d.oldest \
         FROM (SELECT topic, name, ephemeral FROM {groups} UNION ALL SELECT DISTINCT topic, NULL, false FROM {table} WHERE name IS NULL) AS g \
         LEFT JOIN (SELECT topic, name, count(*) AS n, count(*) FILTER (WHERE {OUT}) AS taken, sum(size) AS size, \
         min(published_at) AS oldest FROM {table} AS d GROUP BY topic, name) AS d \
         ON d.topic = g.topic AND d.name IS NOT DISTINCT FROM g.name ORDER BY g.topic, g.name NULLS FIRST"
    )
}
