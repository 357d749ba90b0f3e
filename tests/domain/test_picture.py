"""How a decoder's pictures are known by their times."""

from __future__ import annotations

from hlscam.domain.picture import PictureFinder
from hlscam.domain.position import PicturePosition
from hlscam.isobmff.pictures import CodedPicture


def coded(*shown_ticks: int, early_ticks: int = 0) -> list[CodedPicture]:
    """The pictures of a fragment."""
    return [CodedPicture(each, at == 0, 0, 100, early_ticks) for at, each in enumerate(sorted(shown_ticks))]


def test_a_segment_that_comes_in_pieces() -> None:
    """With B-frames: a picture of the second piece is shown before the last of the first."""
    finder = PictureFinder()
    finder.add(7, coded(0, 30, early_ticks=10))
    assert finder.find(10) == (PicturePosition(7, 0), 0)
    finder.add(7, coded(10, 20, 60, early_ticks=10))
    assert finder.find(20) == (PicturePosition(7, 1), 10)
    assert finder.find(30) == (PicturePosition(7, 2), 20)
    assert finder.find(40) == (PicturePosition(7, 3), 30)
    finder.add(8, coded(90, 100))
    assert finder.find(70) == (PicturePosition(7, 4), 60)
    assert finder.find(100) == (PicturePosition(8, 0), 90)  # still as late as what was fed before made it
    assert finder.find(110) == (PicturePosition(8, 1), 100)


def test_a_gop_that_is_cut_between_segments() -> None:
    """Pictures of the second segment are shown before the last one of the first."""
    finder = PictureFinder()
    finder.add(7, coded(0, 30))
    finder.add(8, coded(10, 20, 60))
    found = [finder.find(ticks) for ticks in (0, 10, 20, 30, 60)]
    places = [each and (tuple(each[0]), each[1]) for each in found]
    assert places == [((7, 0), 0), ((8, 0), 10), ((8, 1), 20), ((7, 1), 30), ((8, 2), 60)]


def test_pictures_that_a_decoder_leaves_out() -> None:
    """Such as those in front of the first sync sample: the others keep their places."""
    finder = PictureFinder()
    finder.add(7, coded(0, 10, 20, 30))
    assert finder.find(-5) is None
    assert finder.find(20) == (PicturePosition(7, 2), 20)
    assert finder.find(10) is None  # too late
    assert finder.find(31) == (PicturePosition(7, 3), 30)
    assert finder.find(40) is None
