package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"sync"
)

// A segment file is its magic followed by records. A record is a header of 16
// bytes, little endian: a crc32c, a mark, the length of the payload; then the
// payload. The crc is that of the payload followed by mark and length, so that
// it can be computed while a payload of unknown length comes in. Records are
// only ever found through a Ref, so a hole left by a failed write does no harm.
const (
	segmentMagic = "MIRJNL01"
	recordMark   = 0x4a52434d
	headerBytes  = 16
	// probeBytes must be free for the store to call itself healthy.
	probeBytes = 256 << 10
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// journal implements Journal over segment files. Its mutex is never held
// during a write, a read or a sync of a payload.
type journal struct {
	files   files
	dir     string
	limit   int64
	log     Logger
	healthy func() error
	failed  func() // told when an append fails

	mu       sync.Mutex
	segments map[uint32]*segment
	current  *segment // where appends go; nil until the first
	next     uint32   // the number of the next segment
	holds    int      // backups under way: no segment is removed
	pins     map[int64][2]uint32
	lost     map[uint32]bool // segments that were sealed after a failed sync
	closed   bool
}

// segment is one file. Guarded by journal.mu but for writes through file.
type segment struct {
	number  uint32
	path    string
	file    *os.File // nil until needed, for segments of an earlier run
	size    int64    // including what is being written
	writing int
	named   bool // the directory was synced with it inside
	dirty   bool // has records that were not synced
	syncing bool // its file may not be closed
	// broken says that a sync failed: the kernel may have dropped pages it
	// calls clean, so no record may be taken from here that was not taken before.
	broken  bool
	pending map[int64]struct{} // offsets of records that no entry took yet
	pins    int                // refs of entries that are not done
}

// recordHeader makes the header of a payload with this crc and length.
func recordHeader(crc uint32, length int64) []byte {
	h := make([]byte, headerBytes)
	binary.LittleEndian.PutUint32(h[4:], recordMark)
	binary.LittleEndian.PutUint64(h[8:], uint64(length)) //nolint:gosec // a length
	binary.LittleEndian.PutUint32(h, crc32.Update(crc, castagnoli, h[4:]))
	return h
}

// Append implements Journal.
func (j *journal) Append(p []byte) (Ref, error) {
	if err := j.healthy(); err != nil {
		return Ref{}, err
	}
	head := recordHeader(crc32.Checksum(p, castagnoli), int64(len(p)))
	total := int64(headerBytes + len(p))
	seg, off, err := j.reserve(total)
	if err == nil {
		err = j.files.writeAt(seg.file, head, p, off)
		err = j.written(seg, off, total, err)
	}
	if err != nil {
		return Ref{}, j.unavailable(err)
	}
	return Ref{Segment: seg.number, Offset: off, Length: int64(len(p))}, nil
}

// unavailable has somebody find out whether anything can be written.
func (j *journal) unavailable(err error) error {
	if !errors.Is(err, errClosed) {
		j.failed()
	}
	return fmt.Errorf("append to journal: %w: %w", ErrUnavailable, err)
}

// reserve finds the place of a record; the caller writes there and then calls
// written.
func (j *journal) reserve(total int64) (*segment, int64, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.closed {
		return nil, 0, errClosed
	}
	if j.current == nil || j.current.size >= j.limit {
		if err := j.rotate(); err != nil {
			return nil, 0, err
		}
	}
	seg := j.current
	off := seg.size
	seg.size += total
	seg.writing++
	return seg, off, nil
}

// written settles a reserved place after the write.
func (j *journal) written(seg *segment, off, total int64, err error) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	seg.writing--
	if err == nil && seg.broken {
		err = errors.New("the segment was sealed after a failed sync")
	}
	if err == nil {
		seg.dirty = true
		seg.pending[off] = struct{}{}
		return nil
	}
	// On a full disk half a payload would keep the space that others need.
	if seg.size == off+total && seg.file.Truncate(off) == nil {
		seg.size = off
	}
	return err
}

// rotate starts a new current segment. The lock is held.
func (j *journal) rotate() error {
	seg, err := j.newSegment()
	if err == nil {
		j.current = seg
	}
	return err
}

// newSegment creates a file. The lock is held.
func (j *journal) newSegment() (*segment, error) {
	path := j.path(j.next)
	f, err := j.files.create(path)
	if err != nil {
		return nil, fmt.Errorf("create journal segment: %w", err)
	}
	if err := j.files.writeAt(f, []byte(segmentMagic), nil, 0); err != nil {
		_ = f.Close()       // nothing of worth was written
		_ = os.Remove(path) // or the next attempt finds the name taken
		return nil, fmt.Errorf("start journal segment: %w", err)
	}
	seg := &segment{number: j.next, path: path, file: f, size: int64(len(segmentMagic)),
		pending: map[int64]struct{}{}}
	j.next++
	j.segments[seg.number] = seg
	return seg, nil
}

func (j *journal) path(n uint32) string {
	return filepath.Join(j.dir, fmt.Sprintf("%010d.seg", n))
}

// sync makes every finished append durable. After a failure the segments
// concerned are sealed: a second fsync would report success for pages that the
// kernel has already given up.
func (j *journal) sync() error {
	dirty, unnamed, names := j.toSync()
	var errs []error
	for _, seg := range dirty {
		if err := j.files.sync(seg.file); err != nil {
			errs = append(errs, err)
			j.seal(seg)
		}
	}
	if names {
		err := j.files.syncDir(j.dir)
		if err != nil {
			errs = append(errs, fmt.Errorf("sync journal directory: %w", err))
		}
		for _, seg := range unnamed {
			if err != nil {
				j.seal(seg)
			} else {
				j.mu.Lock()
				seg.named = true
				j.mu.Unlock()
			}
		}
	}
	j.mu.Lock()
	for _, seg := range dirty {
		seg.syncing = false
	}
	j.mu.Unlock()
	return errors.Join(errs...)
}

// unsynced reports whether sync has anything to do.
func (j *journal) unsynced() bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, seg := range j.segments {
		if seg.dirty {
			return true
		}
	}
	return false
}

// probe writes and syncs a file, and removes it.
func (j *journal) probe() error {
	path := filepath.Join(j.dir, "probe")
	_ = os.Remove(path) // left over when the last probe failed half way
	f, err := j.files.create(path)
	if err != nil {
		return err
	}
	err = j.files.writeAt(f, make([]byte, probeBytes), nil, 0)
	if err == nil {
		err = j.files.sync(f)
	}
	return errors.Join(err, f.Close(), os.Remove(path))
}

// toSync lists the segments with records to sync, and those whose names are
// not safe yet, which matters (names) once one of them has such records.
func (j *journal) toSync() (dirty, unnamed []*segment, names bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, seg := range j.segments {
		if !seg.named {
			unnamed = append(unnamed, seg)
		}
		if seg.dirty {
			dirty = append(dirty, seg)
			seg.dirty, seg.syncing = false, true
			names = names || !seg.named
		}
	}
	return dirty, unnamed, names
}

func (j *journal) seal(seg *segment) {
	j.mu.Lock()
	defer j.mu.Unlock()
	seg.broken = true
	j.lost[seg.number] = true
	clear(seg.pending)
	if j.current == seg {
		j.current = nil
	}
}

// Size implements Journal.
func (j *journal) Size() int64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	var n int64
	for _, seg := range j.segments {
		n += seg.size
	}
	return n
}

func (j *journal) close() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.closed = true
	for _, seg := range j.segments {
		if seg.file != nil {
			_ = seg.file.Close() // what had to be durable was synced
			seg.file = nil
		}
	}
}
