"""Reads all events of a log on Kafka with Confluent's own client, and prints them as JSON Lines.

    pip install -r requirements.txt
    python read_events.py blotter.events

The address and the credential come from the variables of an external stack: BLOTTER_KAFKA_BROKERS,
_SASL, _USER, _PASSWORD, _TLS, _CA; BLOTTER_REGISTRY_URL, _USER, _PASSWORD, _CA.
"""

import datetime
import decimal
import json
import os
import sys

from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer
from confluent_kafka.serialization import MessageField, SerializationContext

# The types of the store's own records begin so. A new owner of a partition writes an owner mark
# before it serves, and a frontier mark before a batch is sealed. They are no events of the
# business, and have no Avro data.
MARKS = "blotter."


def setting(name):
    return os.environ.get("BLOTTER_" + name, "")


def kafka():
    """Returns the settings of the client. Only committed transactions are read."""
    tls = setting("KAFKA_TLS") == "true"
    config = {
        "bootstrap.servers": setting("KAFKA_BROKERS"),
        "group.id": "read-events",  # not used: the partitions are assigned by hand
        "enable.auto.commit": False,
        "isolation.level": "read_committed",
        "security.protocol": "SSL" if tls else "PLAINTEXT",
    }
    if setting("KAFKA_CA"):
        config["ssl.ca.location"] = setting("KAFKA_CA")
    if setting("KAFKA_SASL"):
        config |= {
            "security.protocol": "SASL_SSL" if tls else "SASL_PLAINTEXT",
            "sasl.mechanism": setting("KAFKA_SASL"),
            "sasl.username": setting("KAFKA_USER"),
            "sasl.password": setting("KAFKA_PASSWORD"),
        }
    return config


def registry():
    config = {"url": setting("REGISTRY_URL")}
    if setting("REGISTRY_USER"):
        config["basic.auth.user.info"] = setting("REGISTRY_USER") + ":" + setting("REGISTRY_PASSWORD")
    if setting("REGISTRY_CA"):
        config["ssl.ca.location"] = setting("REGISTRY_CA")
    return SchemaRegistryClient(config)


def records(topic):
    """Yields every record of a topic that is committed now."""
    consumer = Consumer(kafka())
    try:
        partitions = consumer.list_topics(topic, timeout=30).topics[topic].partitions
        unread = {}
        for p in partitions:
            begin, end = consumer.get_watermark_offsets(TopicPartition(topic, p), timeout=30)
            if begin < end:
                unread[p] = end
        consumer.assign([TopicPartition(topic, p, 0) for p in unread])
        while unread:
            record = consumer.poll(1)
            if record is not None and record.error():
                raise RuntimeError(record.error())
            if record is not None:
                yield record
            # The last offsets of a partition may be the ends of transactions, which are no records.
            for place in consumer.position([TopicPartition(topic, p) for p in unread]):
                if place.offset >= unread[place.partition]:
                    del unread[place.partition]
    finally:
        consumer.close()


def plain(value):
    """Returns a value of Avro as JSON has it: decimals are text, absent fields are left out."""
    if isinstance(value, decimal.Decimal):
        text = format(value, "f")
        return text.rstrip("0").rstrip(".") if "." in text else text
    if isinstance(value, datetime.datetime):
        return value.astimezone(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    if isinstance(value, datetime.date):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items() if v is not None}
    if isinstance(value, list):
        return [plain(v) for v in value]
    return value


def main(topic):
    decode = AvroDeserializer(registry())
    for record in records(topic):
        # An event is a CloudEvent in binary mode: its attributes are the headers ce_*.
        attributes = {k.removeprefix("ce_"): v.decode() for k, v in record.headers() or []}
        if attributes["type"].startswith(MARKS):
            continue
        context = SerializationContext(topic, MessageField.VALUE)
        print(json.dumps({
            "stream": record.key().decode(),
            "version": int(attributes["version"]),
            "type": attributes["type"],
            "id": attributes["id"],
            "recorded_at": attributes["time"],
            "actor": attributes["actor"],
            "reason": attributes["reason"],
            "data": plain(decode(record.value(), context)),
        }))


if __name__ == "__main__":
    main(*sys.argv[1:])
