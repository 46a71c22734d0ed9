"""What a node knows of the whole stream: the view, which items have ended, how many there are."""

from __future__ import annotations

from jupiter.kit.seqset import SeqSet
from jupiter.model import records as rec
from jupiter.model import words
from jupiter.model.ids import NodeId
from jupiter.model.items import Delivery
from jupiter.model.view import Load, Numbers, View


class Knowledge:
    """What home tells everybody again and again; only more of it is ever believed.

    Args:
        node: Who knows.
        incarnation: As for `View.members`.
    """

    def __init__(self, node: NodeId, incarnation: int) -> None:
        self._node = node
        self._incarnation = incarnation
        self.view = View(0, {}, {})
        self.is_member = False
        self.settled = SeqSet()
        """Items that have ended."""
        self.total = -1
        """Items there will ever be; -1 while that is open."""
        self._adopting = 0
        self._forgetting = Numbers()
        self._asked_epoch = 0

    @property
    def numbers(self) -> Numbers:
        """The items that have ended."""
        return Numbers(self.settled.mark, self.settled.above)

    def is_over(self, delivery: Delivery) -> bool:
        """Return whether all items that a delivery came from have ended."""
        origins = delivery.origins
        if len(origins) == 1:
            return origins[0] in self.settled
        return all(origin in self.settled for origin in origins)

    def take_up(self, view: View) -> None:
        """Believe in a view."""
        self.view = view
        self.is_member = view.members.get(self._node) == self._incarnation

    def forget_some(self) -> None:
        """Take part no more until home begins an epoch that knows of what was lost here."""
        self._incarnation += 1
        self.rest()

    def rest(self) -> None:
        """Take part no more until a new epoch begins."""
        self.is_member = False

    def propose(self, view: View) -> rec.Record:
        """Return what is to be written down before a view is taken up."""
        self._adopting = view.epoch
        return rec.Seen(view)

    def must_ask(self, epoch: int) -> bool:
        """Return whether this is the first word of an epoch that this node knows nothing of."""
        is_news = epoch > max(self.view.epoch, self._asked_epoch)
        if is_news:
            self._asked_epoch = epoch
        return is_news

    def beat(self, load: Load) -> words.Beat:
        """Return a sign of life that tells home how much of it is known here."""
        epoch, count = self.view.epoch, len(self.settled)
        return words.Beat(self._incarnation, epoch, count, self.total, load)

    def status(self) -> words.Status:
        """Return all of it."""
        return words.Status(self.view, self.numbers, self.total)

    def lacks(self, beat: words.Beat) -> bool:
        """Return whether a node does not know all of it."""
        return (
            beat.epoch != self.view.epoch
            or beat.settled < len(self.settled)
            or beat.total != self.total
        )

    def learn(self, status: words.Status) -> list[rec.Record]:
        """Return what is news and to be written down; an old word may come after a new one."""
        news: list[rec.Record] = []
        if status.view.epoch < self.view.epoch:
            return news
        if status.settled.count > self._forgetting.count:
            # Only what is written down may be dropped: files and journal are not lost together.
            self._forgetting = status.settled
            news.append(rec.Forgotten(status.settled))
        if status.view.epoch > max(self.view.epoch, self._adopting):
            news.append(self.propose(status.view))
        return news
