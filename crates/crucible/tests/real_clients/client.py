"""Lists and calls the tools of an MCP server over stdio with the official Python client.

Usage: client.py MODE CALLS COMMAND [ARGUMENT ...]

MODE is how the client negotiates (`auto` or `legacy`), CALLS a JSON list of [tool, arguments].
Prints one JSON object: the protocol version, the tools, and each call's outcome.
"""

import asyncio
import json
import sys

from mcp import StdioServerParameters
from mcp.client import Client


async def main() -> None:
    mode, calls, command, *arguments = sys.argv[1:]
    server = StdioServerParameters(command=command, args=arguments)
    async with Client(server, mode=mode, read_timeout_seconds=60) as client:
        listed = await client.list_tools()
        results = []
        for tool, tool_arguments in json.loads(calls):
            result = await client.call_tool(tool, tool_arguments)
            results.append(result.model_dump(mode="json", by_alias=True, exclude_none=True))
        print(
            json.dumps(
                {
                    "protocol": client.protocol_version,
                    "tools": [tool.name for tool in listed.tools],
                    "results": results,
                }
            )
        )


asyncio.run(main())
