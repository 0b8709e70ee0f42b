"""The proxy's end of the wire to the node agent: connected anew whenever it is lost.

Questions get their answers here; orders go to the carrier. An agent that answers nothing is as good as none: every
question has its time, after which the connection that needed the answer fails and no other waits. Once its leases have
run out nothing is asked until it is heard again: a client that tries again may do so on a connection that it had opened
in advance, before that, and would wait as long once more.
"""

import asyncio
import itertools
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol
from weakref import WeakValueDictionary

from apisnoop.node.channel import Channel, close_all, connect
from apisnoop.node.messages import (
    FROM_AGENT,
    Address,
    Destinations,
    Dial,
    Dialled,
    Enrol,
    FromAgent,
    Hello,
    Identified,
    Identify,
    Message,
    Renewed,
    Retire,
)

RETRY_SECONDS = 0.2
"""How long to wait before the agent is connected to again."""
IDENTIFY_SECONDS = 1.5
ANSWER_SECONDS = 3.3
"""How long the agent may take to answer; a new connection waits for both answers, one after the other. Together they
are less than the lease, after which connections need no agent: a client that tries again then gets through."""

MOST_QUESTIONS = 8
"""About one pod at a time. The agent answers in order: a pod that opens a thousand connections waits for itself."""

type Answer = tuple[Identified | Dialled, list[int]]
"""With the descriptors that came along."""


class Carrier(Protocol):
    """Who carries out what the agent orders. Nothing here may block or raise."""

    def destine(self, addresses: Sequence[Address]) -> None:
        """Take where the API is."""

    def enrol(self, order: Enrol, sockets: list[socket.socket]) -> None:
        """Accept connections of a pod; the sockets are the carrier's from here."""

    def retire(self, order: Retire) -> None:
        """Let a pod go."""

    def renewed(self, until: float, why: str) -> None:
        """Take until when the agent leads connections here, and why no longer if it says so."""

    def lost(self, reason: str) -> None:
        """Hear that there is no agent: no enrolment is left."""


class AgentLink:
    """Keeps a channel to the agent. Use: `await link.run(carrier)` in a task of its own; the rest at any time."""

    def __init__(self, path: Path, worker: int = 0, workers: int = 1) -> None:
        """`worker` is our number, from 0 on, among the `workers` processes that accept on the same sockets."""
        self._path = path
        self._hello = Hello(worker, workers=workers)
        self._channel: Channel[FromAgent] | None = None
        self._silent = False
        self._questions: dict[int, asyncio.Future[Answer]] = {}
        self._numbers = itertools.count(1)
        self._turns: WeakValueDictionary[int, asyncio.Semaphore] = WeakValueDictionary()
        """By enrolment, while anything is asked about it."""

    async def run(self, carrier: Carrier) -> None:
        """Connect, and again whenever the agent has gone, until cancelled."""
        while True:
            try:
                sock = connect(self._path)
            except OSError:
                await asyncio.sleep(RETRY_SECONDS)
                continue
            ended: asyncio.Queue[str] = asyncio.Queue()
            channel = Channel(sock, FROM_AGENT, lambda *heard: self._hear(carrier, *heard), ended.put_nowait)
            self._channel, self._silent = channel, False
            try:
                channel.send(self._hello)
                reason = await ended.get()
            finally:
                self._channel = None
                channel.close()
                self._fail_questions("has gone")
            carrier.lost(reason)
            await asyncio.sleep(RETRY_SECONDS)  # it may have turned us away

    @property
    def connected(self) -> bool:
        """Whether there is an agent."""
        return self._channel is not None

    def say(self, message: Message) -> None:
        """Tell the agent something; if there is none, nobody needs to know."""
        if self._channel is not None:
            self._channel.send(message)

    def give_up(self) -> None:
        """Expect no answer any more, until the agent says something."""
        self._silent = True
        self._fail_questions("is silent")

    async def identify(self, enrolment: int, source: Address, destination: Address) -> Identified:
        """Ask which container has opened a connection. An agent that cannot tell in time leaves it unknown."""
        number = next(self._numbers)
        try:
            question = Identify(number, enrolment, source, destination)
            answer, descriptors = await self._ask(number, question, IDENTIFY_SECONDS)
        except OSError:
            return Identified(number)
        close_all(descriptors)
        return answer if isinstance(answer, Identified) else Identified(number)

    async def dial(self, enrolment: int, destination: Address) -> socket.socket:
        """Get a socket in the pod's network namespace, not connected yet. Raises OSError with the agent's reason."""
        number = next(self._numbers)
        answer, descriptors = await self._ask(number, Dial(number, enrolment, destination), ANSWER_SECONDS)
        if isinstance(answer, Dialled) and len(descriptors) == 1:
            sock = socket.socket(fileno=descriptors[0])
            sock.setblocking(False)
            return sock
        close_all(descriptors)
        why = answer.error if isinstance(answer, Dialled) and answer.error else "its answer had no socket"
        raise OSError(f"the node agent gave no connection: {why}")

    async def _ask(self, number: int, question: Identify | Dial, seconds: float) -> Answer:
        async with asyncio.timeout(seconds), self._turn(question.enrolment):
            return await self._answer(number, question)

    def _turn(self, enrolment: int) -> asyncio.Semaphore:
        turn = self._turns.get(enrolment)
        if turn is None:
            turn = self._turns[enrolment] = asyncio.Semaphore(MOST_QUESTIONS)
        return turn

    async def _answer(self, number: int, question: Identify | Dial) -> Answer:
        if self._channel is None:
            raise ConnectionAbortedError("the node agent is not there")
        if self._silent:
            raise ConnectionAbortedError("the node agent is silent")
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._questions[number] = answer
        self.say(question)
        try:
            return await answer
        except asyncio.CancelledError:
            if answer.done() and not answer.cancelled() and answer.exception() is None:
                close_all(answer.result()[1])  # it came just as nobody wanted it any more
            raise
        finally:
            del self._questions[number]

    def _hear(self, carrier: Carrier, message: FromAgent, descriptors: list[int]) -> None:
        self._silent = False
        if isinstance(message, Identified | Dialled):
            asked = self._questions.get(message.question)
            if asked is not None and not asked.done():
                asked.set_result((message, descriptors))
                return
        elif isinstance(message, Enrol):
            sockets = [socket.socket(fileno=number) for number in descriptors]
            carrier.enrol(message, sockets)
            return
        elif isinstance(message, Retire):
            carrier.retire(message)
        elif isinstance(message, Destinations):
            carrier.destine(message.addresses)
        elif isinstance(message, Renewed):
            carrier.renewed(message.until, message.why)
        close_all(descriptors)

    def _fail_questions(self, agent: str) -> None:
        for asked in self._questions.values():
            if not asked.done():
                asked.set_exception(ConnectionAbortedError(f"the node agent {agent}"))
