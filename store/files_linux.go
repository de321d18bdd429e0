package store

import (
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// writeParts hands both parts to the kernel in one call, so that a payload is
// neither copied behind its header nor torn by a second call that never came.
// The kernel takes at most 2 GiB at once and may take less; then it goes on.
func writeParts(f *os.File, head, body []byte, off int64) error {
	for len(head)+len(body) > 0 {
		n, err := unix.Pwritev(int(f.Fd()), nonEmpty(head, body), off)
		switch {
		case err == unix.EINTR:
			continue
		case err != nil:
			return fmt.Errorf("write %s: %w", f.Name(), err)
		case n == 0:
			return fmt.Errorf("write %s: %w", f.Name(), io.ErrShortWrite)
		}
		off += int64(n)
		h := min(n, len(head))
		head, body = head[h:], body[n-h:]
	}
	return nil
}

func nonEmpty(head, body []byte) [][]byte {
	parts := make([][]byte, 0, 2)
	if len(head) > 0 {
		parts = append(parts, head)
	}
	if len(body) > 0 {
		parts = append(parts, body)
	}
	return parts
}

// startWriting begins to write pages back and does not wait for it.
func startWriting(f *os.File, off, n int64) {
	_ = unix.SyncFileRange(int(f.Fd()), off, n, unix.SYNC_FILE_RANGE_WRITE) // the sync that follows says what matters
}

// syncData leaves out file times, which nobody needs after a crash.
func syncData(f *os.File) error {
	for {
		err := unix.Fdatasync(int(f.Fd()))
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return fmt.Errorf("sync %s: %w", f.Name(), err)
		}
		return nil
	}
}
