logger --server rollcall.example.org --port 5514 --tcp --octet-count --rfc5424 \
  --tag shop --msgid paid --sd-id audit@32473 --sd-param 'user="ann"' 'three books'
