from elasticsearch import Elasticsearch, helpers

client = Elasticsearch("https://rollcall.example.org:443/es", api_key="THE_TOKEN")
orders = [{"_op_type": "create", "_index": "activity", "_id": "order-9",
           "user": {"name": "ann"}, "event": {"action": "paid"}, "message": "three books"}]
print(helpers.bulk(client, orders, raise_on_error=False))
