package store

import (
	"fmt"
	"hash/crc32"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// record implements Record.
type record struct {
	j   *journal
	ref Ref
}

// Open implements Journal.
func (j *journal) Open(ref Ref) Record { return &record{j, ref} }

// Size implements Record.
func (r *record) Size() int64 { return r.ref.Length }

// ReadAt implements Record.
func (r *record) ReadAt(p []byte, off int64) (int, error) {
	f, err := r.j.open(r.ref)
	if err != nil {
		return 0, fmt.Errorf("read journal: %w", err)
	}
	if off < 0 || off >= r.ref.Length {
		return 0, io.EOF
	}
	short := int64(len(p)) > r.ref.Length-off
	if short {
		p = p[:r.ref.Length-off]
	}
	n, err := f.ReadAt(p, r.ref.Offset+headerBytes+off)
	switch {
	case err != nil:
		return n, fmt.Errorf("read journal segment %d: %w", r.ref.Segment, err)
	case short:
		return n, io.EOF
	}
	return n, nil
}

// Verify implements Record.
func (r *record) Verify() error {
	f, err := r.j.open(r.ref)
	if err != nil {
		return fmt.Errorf("read journal: %w", err)
	}
	head := make([]byte, headerBytes)
	if _, err := f.ReadAt(head, r.ref.Offset); err != nil {
		return fmt.Errorf("read journal segment %d: %w", r.ref.Segment, err)
	}
	crc, buf := uint32(0), make([]byte, 256<<10)
	for off := int64(0); off < r.ref.Length; {
		n, err := r.ReadAt(buf[:min(int64(len(buf)), r.ref.Length-off)], off)
		if err != nil {
			return err
		}
		crc = crc32.Update(crc, castagnoli, buf[:n])
		off += int64(n)
	}
	if string(head) != string(recordHeader(crc, r.ref.Length)) {
		return fmt.Errorf("read journal record at %d+%d of segment %d: %w", r.ref.Offset, r.ref.Length, r.ref.Segment, errCorrupt)
	}
	return nil
}

// Map implements Record.
func (r *record) Map() (p []byte, seen func(upTo int), release func(), err error) {
	f, err := r.j.open(r.ref)
	if err != nil {
		return nil, nil, nil, fmt.Errorf("map journal record: %w", err)
	}
	mapped, lead, err := mapRecord(f, r.ref)
	if err != nil {
		return nil, nil, nil, fmt.Errorf("map journal record at %d+%d of segment %d: %w", r.ref.Offset, r.ref.Length, r.ref.Segment, err)
	}
	begin := lead + headerBytes
	page, dropped := os.Getpagesize(), 0
	seen = func(upTo int) {
		end := (begin + upTo) / page * page
		if end > dropped {
			_ = unix.Madvise(mapped[dropped:end], unix.MADV_DONTNEED) // a hint
			dropped = end
		}
	}
	return mapped[begin : begin+int(r.ref.Length)], seen, once(func() { _ = unix.Munmap(mapped) }), nil
}
