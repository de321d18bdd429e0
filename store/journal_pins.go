package store

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// A segment stays while it is the current one, while it has records that an
// entry may still take, and while an entry that is not done refers to it.

// pinned is what one stored entry refers to.
type pinned struct {
	lsn  int64
	refs [2]Ref
}

// recover takes over the files of an earlier run. Everything behind the last
// record that an entry needs (torn or whole) was never acknowledged and is cut
// off; files nobody needs are removed. Appends go to a new segment: whether
// the tail of an old one reached the disk cannot be known.
func (j *journal) recover(pins []pinned, lastKnown uint32) error {
	need := needed(pins)
	names, err := os.ReadDir(j.dir)
	if err != nil {
		return fmt.Errorf("list journal: %w", err)
	}
	for _, e := range names {
		number, ok := segmentNumber(e.Name())
		if !ok {
			continue
		}
		lastKnown = max(lastKnown, number)
		if err := j.adopt(number, need[number]); err != nil {
			return err
		}
	}
	for number := range need {
		lastKnown = max(lastKnown, number)
		if j.segments[number] == nil {
			j.log.Errorf("store: journal segment %d is missing: the writes in it cannot be replayed", number)
		}
	}
	j.next = lastKnown + 1
	for _, p := range pins {
		j.pin(p.lsn, p.refs)
	}
	return nil
}

// needed says up to which byte each segment is referred to.
func needed(pins []pinned) map[uint32]int64 {
	need := map[uint32]int64{}
	for _, p := range pins {
		for _, r := range p.refs {
			if !r.IsZero() {
				need[r.Segment] = max(need[r.Segment], r.Offset+headerBytes+r.Length)
			}
		}
	}
	return need
}

func segmentNumber(name string) (uint32, bool) {
	digits, ok := strings.CutSuffix(name, ".seg")
	if !ok {
		return 0, false
	}
	n, err := strconv.ParseUint(digits, 10, 32)
	return uint32(n), err == nil
}

// adopt keeps the first end bytes of a segment, or removes it when end is 0.
func (j *journal) adopt(number uint32, end int64) error {
	path := j.path(number)
	if end == 0 {
		if err := os.Remove(path); err != nil {
			return fmt.Errorf("sweep journal: %w", err)
		}
		return nil
	}
	info, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("look at journal segment: %w", err)
	}
	switch size := info.Size(); {
	case size > end:
		if err := os.Truncate(path, end); err != nil {
			return fmt.Errorf("cut journal segment: %w", err)
		}
	case size < end:
		j.log.Errorf("store: journal segment %d has %d bytes of %d: some writes in it cannot be replayed",
			number, size, end)
		end = size
	}
	j.segments[number] = &segment{number: number, path: path, size: end, named: true, pending: map[int64]struct{}{}}
	return nil
}

// admit says whether an entry may take the refs. Only the committer calls it.
func (j *journal) admit(lsn int64, refs [2]Ref) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	for i, r := range refs {
		if r.IsZero() || (lsn != 0 && j.pins[lsn][i] == r.Segment) {
			continue
		}
		seg := j.segments[r.Segment]
		switch {
		case seg == nil && j.lost[r.Segment], seg != nil && seg.broken:
			return fmt.Errorf("%w: %w", ErrUnavailable, errPayloadLost)
		case seg == nil:
			return fmt.Errorf("%w: journal segment %d is gone", ErrRefused, r.Segment)
		case r.Length < 0 || r.Offset < 0 || r.Offset+headerBytes+r.Length > seg.size:
			return fmt.Errorf("%w: the journal has no record at %d+%d of segment %d", ErrRefused,
				r.Offset, r.Length, r.Segment)
		}
	}
	return nil
}

// settle records that an entry was committed: what it needs stays, what it no
// longer needs may go.
func (j *journal) settle(lsn int64, refs [2]Ref, done bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, r := range refs {
		if seg := j.segments[r.Segment]; seg != nil && !r.IsZero() {
			delete(seg.pending, r.Offset)
		}
	}
	if done {
		refs = [2]Ref{}
	}
	j.pin(lsn, refs)
}

// pin replaces what an entry holds on to. The lock is held, or nobody else is there yet.
func (j *journal) pin(lsn int64, refs [2]Ref) {
	old := j.pins[lsn]
	pins := [2]uint32{refs[0].Segment, refs[1].Segment}
	if pins == [2]uint32{} {
		delete(j.pins, lsn)
	} else {
		j.pins[lsn] = pins
	}
	for i := range pins {
		if seg := j.segments[pins[i]]; seg != nil {
			seg.pins++
		}
		if seg := j.segments[old[i]]; seg != nil {
			seg.pins--
		}
	}
}

// Discard implements Journal.
func (j *journal) Discard(ref Ref) {
	j.mu.Lock()
	if seg := j.segments[ref.Segment]; seg != nil {
		delete(seg.pending, ref.Offset)
	}
	j.mu.Unlock()
	j.sweep()
}

// hold keeps all segments until release is called.
func (j *journal) hold() (release func()) {
	j.mu.Lock()
	j.holds++
	j.mu.Unlock()
	return func() {
		j.mu.Lock()
		j.holds--
		j.mu.Unlock()
		j.sweep()
	}
}

// sweep removes the segments that nobody needs.
func (j *journal) sweep() {
	for _, seg := range j.unneeded() {
		if seg.file != nil {
			_ = seg.file.Close() // it is removed next
		}
		if err := os.Remove(seg.path); err != nil {
			j.log.Warnf("store: remove journal segment %s, it is tried again at the next start: %v",
				filepath.Base(seg.path), err)
		}
	}
}

// unneeded takes them out of the table, after which nobody finds them.
func (j *journal) unneeded() []*segment {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.holds > 0 || j.closed {
		return nil
	}
	var out []*segment
	for n, seg := range j.segments {
		idle := seg.writing == 0 && !seg.syncing
		if idle && seg != j.current && seg.pins == 0 && len(seg.pending) == 0 {
			delete(j.segments, n)
			out = append(out, seg)
		}
	}
	return out
}
