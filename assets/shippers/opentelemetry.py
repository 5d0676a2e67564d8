from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.resources import Resource

exporter = OTLPLogExporter("https://rollcall.example.org/v1/logs",
                           headers={"Authorization": "Bearer THE_TOKEN"})
logs = LoggerProvider(Resource.create({"service.name": "shop"}))
logs.add_log_record_processor(BatchLogRecordProcessor(exporter))
logs.get_logger("orders").emit(event_name="paid", body="three books",
                               attributes={"user.name": "ann", "client.address": "203.0.113.7"})
logs.shutdown()
