"""Drives the official Python client of MCP, one line of JSON at a time.

Usage: client.py MODE SERVER

MODE is how the client negotiates (`auto` or `legacy`). SERVER is JSON: {"command": [..]} for a
server over stdio, {"url": .., "token": ..} for one over HTTP.

Each line of standard input is a request, {"do": .., ..}; each line of standard output its answer,
in order. {"failed": ..} is the answer when the client raised an error. The end of the input closes
the connection.
"""

import asyncio
import json
import sys
from contextlib import AsyncExitStack
from typing import Any

from mcp import StdioServerParameters
from mcp.client import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared._httpx_utils import create_mcp_http_client

SECONDS_MAX = 60


class Driver:
    """One connection and what the server has told over it."""

    def __init__(self, client: Client, stack: AsyncExitStack, told: asyncio.Queue[Any]) -> None:
        self.client = client
        self.stack = stack
        self.told = told
        self.tasks: list[asyncio.Task[None]] = []

    async def do(self, request: dict[str, Any]) -> Any:
        match request.pop("do"):
            case "tools":
                listed = await self.client.list_tools()
                return {
                    "protocol": self.client.protocol_version,
                    "tools": [tool.name for tool in listed.tools],
                }
            case "call":
                result = await self.client.call_tool(request["name"], request["arguments"])
                return plain(result)
            case "read":
                return plain(await self.client.read_resource(request["uri"], cache_mode="bypass"))
            case "subscribe":
                await self.subscribe(request["uri"])
                return {}
            case "told":
                return await asyncio.wait_for(self.told.get(), SECONDS_MAX)
            case other:
                raise ValueError(other)

    async def subscribe(self, uri: str) -> None:
        if self.client.protocol_version < "2026":
            await self.client.subscribe_resource(uri)
            return
        stream = await self.stack.enter_async_context(
            self.client.listen(resource_subscriptions=[uri])
        )

        async def follow() -> None:
            async for event in stream:
                await self.told.put({"updated": getattr(event, "uri", None)})
            await self.told.put({"ended": True})

        self.tasks.append(asyncio.create_task(follow()))


def plain(result: Any) -> Any:
    return result.model_dump(mode="json", by_alias=True, exclude_none=True)


async def main() -> None:
    mode, where = sys.argv[1], json.loads(sys.argv[2])
    told: asyncio.Queue[Any] = asyncio.Queue()

    async def hear(message: Any) -> None:
        inner = getattr(message, "root", message)
        if getattr(inner, "method", None) == "notifications/resources/updated":
            await told.put({"updated": str(inner.params.uri)})

    async with AsyncExitStack() as stack:
        if "url" in where:
            headers = {"Authorization": f"Bearer {where['token']}"}
            http = await stack.enter_async_context(create_mcp_http_client(headers=headers))
            server: Any = streamable_http_client(where["url"], http_client=http)
        else:
            program, *arguments = where["command"]
            server = StdioServerParameters(command=program, args=arguments)
        # A modern client hears of updates on its stream; a legacy one only here.
        handler = hear if mode == "legacy" else None
        client = await stack.enter_async_context(
            Client(server, mode=mode, read_timeout_seconds=SECONDS_MAX, message_handler=handler)
        )
        driver = Driver(client, stack, told)
        while line := await asyncio.to_thread(sys.stdin.readline):
            try:
                answer = await driver.do(json.loads(line))
            except Exception as error:
                answer = {"failed": f"{type(error).__name__}: {error}"}
            print(json.dumps(answer), flush=True)
        for task in driver.tasks:
            task.cancel()


asyncio.run(main())
