curl --fail -H 'Authorization: Bearer THE_TOKEN' -H 'Content-Type: application/x-ndjson' \
  -H 'Content-Encoding: gzip' --data-binary @events.ndjson.gz https://rollcall.example.org/api/v1/activity
