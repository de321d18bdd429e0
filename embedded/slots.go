package embedded

import "github.com/RoaringBitmap/roaring/v2"

// slots mirrors which document number the engine gives to which id, so that a rebuilt index orders its ties as the one
// before the restart did. The rule is the engine's: new documents take the lowest numbers that were free before the
// batch, in the order in which their ids first appear in it.
type slots struct {
	byID map[string]uint32
	used *roaring.Bitmap
}

func newSlots() *slots { return &slots{byID: make(map[string]uint32), used: roaring.New()} }

// moved is one document whose place in the store changes.
type moved struct {
	slot uint32
	id   string
	gone bool
}

// settle brings the mirror up to date after a batch. ids are the ids the batch touched, in order of first appearance
// since the last clear; exists tells what the engine holds now. The result lists what to write.
func (s *slots) settle(cleared bool, ids []string, exists func(id string) bool) []moved {
	if cleared {
		s.byID, s.used = make(map[string]uint32), roaring.New()
	}
	var out []moved
	next := uint32(0)
	taken := make(map[string]uint32)
	for _, id := range ids {
		slot, had := s.byID[id]
		switch now := exists(id); {
		case now && had:
			out = append(out, moved{slot: slot, id: id})
		case now:
			for s.used.Contains(next) {
				next++
			}
			taken[id] = next
			out = append(out, moved{slot: next, id: id})
			next++
		case had:
			out = append(out, moved{slot: slot, id: id, gone: true})
		}
	}
	for _, m := range out {
		if m.gone {
			delete(s.byID, m.id)
			s.used.Remove(m.slot)
		}
	}
	for id, slot := range taken {
		s.byID[id] = slot
		s.used.Add(slot)
	}
	return out
}
