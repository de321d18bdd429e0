package store

import (
	"errors"
	"fmt"
	"hash/crc32"
	"sync"
)

// A streamed payload is held back until it is large; then it gets a segment
// file of its own, where nobody else appends, so that it can grow without
// reserving space. A small one becomes an ordinary append.

var errStreamEnded = errors.New("the stream has ended")

// writeAhead is how much of a stream is gathered before the disk begins with it.
const writeAhead = 4 << 20

// stream implements Stream.
type stream struct {
	j      *journal
	held   *[]byte  // what came so far, nil once there is a segment
	seg    *segment // nil while held
	length int64
	begun  int64 // how much of it the disk was told to write
	crc    uint32
	err    error // what ended the stream
}

var held = sync.Pool{New: func() any { b := make([]byte, 0, 64<<10); return &b }}

// Stream implements Journal.
func (j *journal) Stream() Stream {
	b, _ := held.Get().(*[]byte)
	return &stream{j: j, held: b}
}

// Write implements Stream.
func (s *stream) Write(p []byte) (int, error) {
	if s.err != nil {
		return 0, s.err
	}
	if s.seg == nil && len(*s.held)+len(p) < mapFrom {
		*s.held = append(*s.held, p...)
		return len(p), nil
	}
	err := s.spill()
	if err == nil {
		err = s.put(p)
	}
	if err != nil {
		s.end(s.j.unavailable(err))
		return 0, s.err
	}
	return len(p), nil
}

// spill moves what was held back into a segment.
func (s *stream) spill() error {
	if s.seg != nil {
		return nil
	}
	if err := s.j.healthy(); err != nil {
		return err
	}
	j := s.j
	j.mu.Lock()
	err := errClosed
	if !j.closed {
		if s.seg, err = j.newSegment(); err == nil {
			s.seg.writing++
			s.seg.size += headerBytes
		}
	}
	j.mu.Unlock()
	if err != nil {
		return err
	}
	err = s.put(*s.held)
	s.letGo()
	return err
}

// put writes p behind what was written. Nobody else writes to the segment.
func (s *stream) put(p []byte) error {
	off := int64(len(segmentMagic)) + headerBytes + s.length
	if err := s.j.files.writeAt(s.seg.file, p, nil, off); err != nil {
		return err
	}
	s.crc = crc32.Update(s.crc, castagnoli, p)
	s.length += int64(len(p))
	if s.length-s.begun >= writeAhead {
		s.j.files.startWriting(s.seg.file, off+int64(len(p))-(s.length-s.begun), s.length-s.begun)
		s.begun = s.length
	}
	s.j.mu.Lock()
	s.seg.size += int64(len(p))
	s.j.mu.Unlock()
	return nil
}

func (s *stream) letGo() {
	if s.held != nil {
		*s.held = (*s.held)[:0]
		held.Put(s.held)
		s.held = nil
	}
}

// Finish implements Stream.
func (s *stream) Finish() (Ref, error) {
	if s.err != nil {
		return Ref{}, s.err
	}
	if s.seg == nil {
		ref, err := s.j.Append(*s.held)
		s.end(errStreamEnded)
		return ref, err
	}
	off := int64(len(segmentMagic))
	err := s.j.files.writeAt(s.seg.file, recordHeader(s.crc, s.length), nil, off)
	if err != nil {
		s.end(s.j.unavailable(err))
		return Ref{}, s.err
	}
	seg := s.seg
	s.seg, s.err = nil, errStreamEnded
	// The size is that of the segment: after a failed sync nothing is cut off.
	if err := s.j.written(seg, off, 0, nil); err != nil {
		s.j.sweep()
		return Ref{}, fmt.Errorf("append to journal: %w: %w", ErrUnavailable, err)
	}
	return Ref{Segment: seg.number, Offset: off, Length: s.length}, nil
}

// Abort implements Stream.
func (s *stream) Abort() { s.end(errStreamEnded) }

// end gives back what an unfinished stream holds.
func (s *stream) end(err error) {
	if s.err != nil {
		return
	}
	s.err = err
	s.letGo()
	if s.seg != nil {
		s.j.mu.Lock()
		s.seg.writing--
		s.j.mu.Unlock()
		s.seg = nil
		s.j.sweep()
	}
}
