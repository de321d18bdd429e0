package store

import (
	"fmt"
	"os"
)

// files is what the store does to the disk. Tests put a failing disk here.
type files interface {
	// create makes a file that must not exist yet.
	create(path string) (*os.File, error)
	// writeAt writes head and body, one after the other, at off.
	writeAt(f *os.File, head, body []byte, off int64) error
	// sync returns when what was written to f is on the disk.
	sync(f *os.File) error
	// startWriting has the disk begin with a part of what was written to f, so that a
	// later sync finds less to do. It is a hint.
	startWriting(f *os.File, off, n int64)
	// syncDir does the same for the names in a directory.
	syncDir(path string) error
	// transaction runs the database's own commit, which writes and syncs.
	transaction(commit func() error) error
}

// osFiles is the real disk; when it is not durable it does not wait for it.
type osFiles struct{ durable bool }

func (osFiles) create(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600) //nolint:gosec // the path is ours
}

func (osFiles) writeAt(f *os.File, head, body []byte, off int64) error {
	return writeParts(f, head, body, off)
}

func (o osFiles) sync(f *os.File) error {
	if !o.durable {
		return nil
	}
	return syncData(f)
}

func (o osFiles) startWriting(f *os.File, off, n int64) {
	if o.durable {
		startWriting(f, off, n)
	}
}

func (o osFiles) syncDir(path string) error {
	if !o.durable {
		return nil
	}
	d, err := os.Open(path) //nolint:gosec // the path is ours
	if err != nil {
		return fmt.Errorf("open directory to sync it: %w", err)
	}
	err = d.Sync()
	if cerr := d.Close(); err == nil {
		err = cerr
	}
	return err
}

func (osFiles) transaction(commit func() error) error { return commit() }
