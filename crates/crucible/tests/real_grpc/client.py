"""Asks a daemon through gRPC's own client for Python and prints what came back, as JSON.

usage: client.py calls|follow ADDRESS PROTO_DIR TOKEN READ_ONLY_TOKEN

`calls` makes each sort of call once. `follow` prints a line when it is subscribed, and how the
stream ended when it has. The .proto files are compiled into a folder of their own, which goes with
this process.
"""

import json
import sys
import tempfile
from pathlib import Path

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_tools import protoc
from google.protobuf.json_format import MessageToDict

MODE, ADDRESS, PROTO_DIR, TOKEN, READ_ONLY = sys.argv[1:]
DEADLINE = 30.0


def compiled():
    """Compiles the interfaces as a user of them would; returns their modules."""
    with tempfile.TemporaryDirectory() as out:
        well_known = Path(protoc.__file__).parent / "_proto"
        files = [f"crucible/v1/{name}.proto" for name in ("services", "events")]
        code = protoc.main(
            ["protoc", f"-I{PROTO_DIR}", f"-I{well_known}", f"--python_out={out}",
             f"--grpc_python_out={out}", *files]
        )
        if code != 0:
            sys.exit(f"protoc ended with {code}")
        sys.path.insert(0, out)
        from crucible.v1 import events_pb2, events_pb2_grpc, services_pb2, services_pb2_grpc
    return events_pb2, events_pb2_grpc, services_pb2, services_pb2_grpc


events, events_grpc, services, services_grpc = compiled()


def carrying(token):
    return {"metadata": [("authorization", f"Bearer {token}")], "timeout": DEADLINE}


def fault(call):
    """Returns how a call failed."""
    try:
        call()
    except grpc.RpcError as error:
        return {"code": error.code().name, "message": error.details()}
    return None


def status_name(response):
    return health_pb2.HealthCheckResponse.ServingStatus.Name(response.status)


def check_health(channel):
    health = health_pb2_grpc.HealthStub(channel)
    switch = services_grpc.ServicesStub(channel)
    ask = lambda name: health_pb2.HealthCheckRequest(service=name)
    watch = health.Watch(ask("vault"), **carrying(TOKEN))
    seen = [status_name(next(watch))]
    switch.Stop(services.ServiceRequest(name="vault"), **carrying(TOKEN))
    seen.append(status_name(next(watch)))
    stopped = status_name(health.Check(ask("vault"), **carrying(TOKEN)))
    switch.Start(services.ServiceRequest(name="vault"), **carrying(TOKEN))
    seen.append(status_name(next(watch)))
    watch.cancel()
    return {
        "whole": status_name(health.Check(ask(""), **carrying(TOKEN))),
        "stopped": stopped,
        "watched": seen,
        "unknown": fault(lambda: health.Check(ask("valt"), **carrying(TOKEN))),
    }


def check_services(channel):
    stub = services_grpc.ServicesStub(channel)
    listed = stub.List(services.ListServicesRequest(), **carrying(TOKEN)).services
    restarted = stub.Restart(services.ServiceRequest(name="vault"), **carrying(TOKEN))
    nobody = lambda: stub.List(services.ListServicesRequest(), timeout=DEADLINE)
    reader = lambda: stub.Restart(services.ServiceRequest(name="vault"), **carrying(READ_ONLY))
    return {
        "names": sorted(service.name for service in listed),
        "restarted": MessageToDict(restarted, preserving_proto_field_name=True),
        "nobody": fault(nobody),
        "reader": fault(reader),
    }


def check_events(channel):
    stub = events_grpc.EventsStub(channel)
    wanted = events.EventFilter(categories=[events.EVENT_CATEGORY_CUSTOM])
    stream = stub.Subscribe(events.SubscribeRequest(filter=wanted), **carrying(READ_ONLY))
    # The answer begins when the stream is open.
    stream.initial_metadata()
    new = events.PublishRequest(name="ping", payload=events.EventPayload(binary=b"\x00\xff"))
    published = stub.Publish(new, **carrying(TOKEN))
    told = next(stream).event
    stream.cancel()
    recent = stub.Recent(events.RecentRequest(filter=wanted, limit=1), **carrying(READ_ONLY))
    return {
        "same": published.id == told.id == recent.events[0].id,
        "told": MessageToDict(told, preserving_proto_field_name=True),
    }


def follow(channel):
    stub = events_grpc.EventsStub(channel)
    stream = stub.Subscribe(events.SubscribeRequest(), **carrying(READ_ONLY))
    stream.initial_metadata()
    print("subscribed", flush=True)

    def to_the_end():
        for _ in stream:
            pass

    return fault(to_the_end)


def calls(channel):
    foreign = grpc.insecure_channel(
        ADDRESS, options=[("grpc.default_authority", "evil.example")]
    )
    health = health_pb2_grpc.HealthStub(foreign)
    request = health_pb2.HealthCheckRequest()
    return {
        "health": check_health(channel),
        "services": check_services(channel),
        "events": check_events(channel),
        "foreign": fault(lambda: health.Check(request, **carrying(TOKEN))),
    }


with grpc.insecure_channel(ADDRESS) as opened:
    print(json.dumps({"calls": calls, "follow": follow}[MODE](opened)))
