# Starts PostgreSQL on the volume. The password of the owner is that of the secret at every start, so that a rotated
# one holds after a restart.
set -eu
PATH=/usr/lib/postgresql/15/bin:$PATH
data=$VOLUME/data
run=/run/postgresql
umask 077
mkdir -p "$run"
install -m 600 /tls/tls.crt "$run/tls.crt"
install -m 600 /tls/tls.key "$run/tls.key"
chown -R postgres:postgres "$run"
as() { setpriv --reuid=postgres --regid=postgres --clear-groups "$@"; }
single() { as postgres --single -D "$data" "$1" >/dev/null; }
if [ ! -s "$data/PG_VERSION" ] || [ ! -e "$data/.complete" ]; then
    rm -rf "$data"
    install -d -m 700 -o postgres -g postgres "$data"
    printf '%s\n' "$POSTGRES_PASSWORD" >"$run/password"
    chown postgres:postgres "$run/password"
    as initdb -D "$data" -U "$POSTGRES_USER" -A scram-sha-256 --pwfile="$run/password" --no-sync --no-instructions \
        --locale=C --encoding=UTF8 >/dev/null
    rm "$run/password"
    [ "$POSTGRES_DB" = postgres ] || echo "CREATE DATABASE \"$POSTGRES_DB\"" | single postgres
    echo "hostssl all all all scram-sha-256" >"$data/pg_hba.conf"
    chown postgres:postgres "$data/pg_hba.conf"
    as touch "$data/.complete"
else
    rm -f "$data/postmaster.pid"
    quoted=$(printf '%s' "$POSTGRES_PASSWORD" | sed "s/'/''/g")
    echo "ALTER ROLE \"$POSTGRES_USER\" PASSWORD '$quoted'" | single postgres
fi
unset POSTGRES_PASSWORD
exec setpriv --reuid=postgres --regid=postgres --clear-groups postgres -D "$data" -p "$PORT" -k "$run" \
    -c listen_addresses='*' -c ssl=on -c ssl_cert_file="$run/tls.crt" -c ssl_key_file="$run/tls.key" \
    -c shared_buffers=16MB -c max_connections=50 -c autovacuum_naptime=300s -c jit=off -c bgwriter_delay=5s -c wal_writer_delay=5s
