# Starts PgBouncer with the user of the secret; the password goes to a file in memory and nowhere else.
set -eu
umask 077
printf '"%s" "%s"\n' "$POSTGRES_USER" "$POSTGRES_PASSWORD" >/run/pgbouncer/userlist.txt
unset POSTGRES_PASSWORD
cp /tls/tls.crt /tls/tls.key /run/pgbouncer/
chown -R postgres:postgres /run/pgbouncer
exec setpriv --reuid=postgres --regid=postgres --clear-groups pgbouncer --quiet /programs/pgbouncer.ini
