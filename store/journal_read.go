package store

import (
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"runtime/debug"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// Small records are read into pooled buffers: one system call, and an error of
// the disk is an error value. Large ones are mapped: several 100 MB payloads
// being replayed at once must not be so much heap, and the kernel can take
// mapped pages back. The price of a mapping is that a disk error is a fault;
// the checksum pass, which touches every page, turns it into an error.

// mapFrom is the size from which records are mapped.
const mapFrom = 1 << 20

// Read implements Journal.
func (j *journal) Read(ref Ref) ([]byte, func(), error) {
	f, err := j.open(ref)
	if err != nil {
		return nil, nil, fmt.Errorf("read journal: %w", err)
	}
	read := readPooled
	if ref.Length >= mapFrom {
		read = readMapped
	}
	p, release, err := read(f, ref)
	if err != nil {
		return nil, nil, fmt.Errorf("read journal record at %d+%d of segment %d: %w",
			ref.Offset, ref.Length, ref.Segment, err)
	}
	return p, release, nil
}

// open finds the file of a ref.
func (j *journal) open(ref Ref) (*os.File, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	seg := j.segments[ref.Segment]
	switch {
	case j.closed:
		return nil, errClosed
	case seg == nil:
		return nil, fmt.Errorf("%w: segment %d is gone", ErrNotFound, ref.Segment)
	case ref.Offset < 0 || ref.Length < 0 || ref.Offset+headerBytes+ref.Length > seg.size:
		return nil, fmt.Errorf("%w: segment %d ends before %d+%d", ErrNotFound, ref.Segment, ref.Offset, ref.Length)
	case seg.file == nil:
		f, err := os.OpenFile(seg.path, os.O_RDONLY, 0) //nolint:gosec // the path is ours
		if err != nil {
			return nil, err
		}
		magic := make([]byte, len(segmentMagic))
		if _, err := f.ReadAt(magic, 0); err != nil || string(magic) != segmentMagic {
			_ = f.Close() // only read from
			return nil, fmt.Errorf("segment %d is not a journal segment of this version", ref.Segment)
		}
		seg.file = f
	}
	return seg.file, nil
}

var errCorrupt = errors.New("the record is damaged: its checksum does not match")

// verify checks a whole record and returns its payload.
func verify(record []byte, length int64) ([]byte, error) {
	head, p := record[:headerBytes], record[headerBytes:]
	if !bytes.Equal(head, recordHeader(crc32.Checksum(p, castagnoli), length)) {
		return nil, errCorrupt
	}
	return p, nil
}

// buffers are pooled by size, so that a small record does not keep a large one's.
var buffers = [...]struct {
	size int64
	pool sync.Pool
}{{size: 4 << 10}, {size: 64 << 10}, {size: mapFrom + headerBytes}}

func readPooled(f *os.File, ref Ref) ([]byte, func(), error) {
	total := headerBytes + ref.Length
	class := 0
	for buffers[class].size < total {
		class++
	}
	b := &buffers[class]
	buf, _ := b.pool.Get().(*[]byte)
	if buf == nil {
		fresh := make([]byte, b.size)
		buf = &fresh
	}
	give := once(func() { b.pool.Put(buf) })
	record := (*buf)[:total]
	if _, err := f.ReadAt(record, ref.Offset); err != nil {
		give()
		if errors.Is(err, io.EOF) {
			err = fmt.Errorf("the file ends inside the record: %w", io.ErrUnexpectedEOF)
		}
		return nil, nil, err
	}
	p, err := verify(record, ref.Length)
	if err != nil {
		give()
		return nil, nil, err
	}
	return p, give, nil
}

// once makes a second release harmless: it would hand one buffer to two readers.
func once(f func()) func() {
	var called atomic.Bool
	return func() {
		if called.CompareAndSwap(false, true) {
			f()
		}
	}
}

func readMapped(f *os.File, ref Ref) ([]byte, func(), error) {
	mapped, lead, err := mapRecord(f, ref)
	if err != nil {
		return nil, nil, err
	}
	release := once(func() { _ = unix.Munmap(mapped) }) // fails only for a range that was never mapped
	p, err := verifyMapped(mapped[lead:], ref.Length)
	if err != nil {
		release()
		return nil, nil, err
	}
	return p, release, nil
}

// mapRecord maps a record, which begins lead bytes behind the beginning of mapped.
func mapRecord(f *os.File, ref Ref) (mapped []byte, lead int, err error) {
	lead = int(ref.Offset % int64(os.Getpagesize()))
	info, err := f.Stat()
	if err != nil {
		return nil, 0, err
	}
	if info.Size() < ref.Offset+headerBytes+ref.Length {
		return nil, 0, fmt.Errorf("the file ends inside the record: %w", io.ErrUnexpectedEOF)
	}
	raw, err := f.SyscallConn()
	if err != nil {
		return nil, 0, err
	}
	var merr error
	// Control keeps the descriptor from being closed and given to another file.
	if err := raw.Control(func(fd uintptr) {
		mapped, merr = unix.Mmap(int(fd), ref.Offset-int64(lead), lead+headerBytes+int(ref.Length),
			unix.PROT_READ, unix.MAP_SHARED)
	}); err != nil {
		return nil, 0, err
	}
	if merr != nil {
		return nil, 0, fmt.Errorf("map: %w", merr)
	}
	_ = unix.Madvise(mapped, unix.MADV_SEQUENTIAL) // a hint
	return mapped, lead, nil
}

// verifyMapped is verify for memory that may fault when the disk fails.
func verifyMapped(record []byte, length int64) (p []byte, err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if r := recover(); r != nil {
			p, err = nil, fmt.Errorf("the disk failed: %v", r)
		}
	}()
	return verify(record, length)
}
