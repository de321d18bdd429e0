package merge

import (
	"math"

	"github.com/miroir-search/miroir/rawjson"
)

// Window is a stretch of one leg's list of documents, of which only what orders them is known.
type Window struct {
	// From is the place of the first document in the leg's list.
	From int
	// Limit is how many documents were asked for.
	Limit int
	// Body is the leg's answer: a page of documents with their insertion numbers and what they are sorted by.
	Body []byte
}

// Place is a document by its leg and its place in the leg's list.
type Place struct{ Leg, At int }

// FirstWindow is where to look first for the documents of a page in the list of a leg that holds the given share of
// all documents. Documents are spread by hashing, so that their number before any place hardly differs from the
// leg's share of it.
func FirstWindow(spec *DocumentsSpec, share float64) (from, limit int) {
	offset := max(spec.Offset, 0)
	spread := 64 + int(4*math.Sqrt(float64(offset)))
	middle := offset
	if share < 1 {
		middle = int(float64(offset) * share)
	}
	from = max(middle-spread, 0)
	return from, SaturatingAdd(SaturatingAdd(middle-from, spread), max(spec.Limit, 0))
}

// Locate finds the documents of a page in stretches of the legs' lists. found is nil when the stretches do not
// surely hold them; next then has, for each leg, where to look again. total is the number of all documents.
func Locate(spec *DocumentsSpec, windows []Window) (found []Place, next []Window, total int, err error) {
	m := newMerger()
	defer m.release()
	m.sorts, m.browse = spec.Sort, true
	for i := range windows {
		m.addLeg(windows[i].Body)
	}
	lists, err := m.readLists()
	if err != nil {
		return nil, nil, 0, err
	}
	for i := range m.legs {
		total += int(m.legs[i].total)
	}
	merged := m.mergeLists(lists, total < wholeMetres)
	return m.locate(spec, windows, merged, total)
}

// readLists reads all documents of all legs.
func (m *merger) readLists() ([][]int32, error) {
	lists := make([][]int32, len(m.legs))
	for i := range m.legs {
		l := &m.legs[i]
		err := l.open("results")
		for err == nil {
			var n int32
			if n, err = m.readHit(l); err != nil || n < 0 {
				break
			}
			lists[i] = append(lists[i], n)
		}
		if err == nil {
			err = l.tail("")
		}
		if err != nil {
			return nil, &LegError{Leg: i, Err: err}
		}
	}
	return lists, nil
}

func (m *merger) locate(spec *DocumentsSpec, windows []Window, merged []int32, total int) (found []Place, next []Window, all int, err error) {
	before := 0 // documents that surely come before all that were seen, if the windows are right
	for i := range windows {
		before += min(windows[i].From, int(m.legs[i].total))
	}
	first := make([]int, len(windows))
	last := make([]int, len(windows))
	for i := range first {
		first[i] = -1
	}
	for n, h := range merged {
		leg := m.hits[h].leg
		if first[leg] < 0 {
			first[leg] = n
		}
		last[leg] = n
	}
	from := max(spec.Offset, 0) - before
	to := min(SaturatingAdd(from, max(spec.Limit, 0)), total-before)
	if spec.Offset >= total {
		return []Place{}, nil, total, nil
	}
	known := from >= 0 || before == 0
	next = make([]Window, len(windows))
	for i := range windows {
		w, end := windows[i], windows[i].From+int(m.legs[i].count)
		next[i] = Window{From: w.From, Limit: w.Limit}
		low := w.From > 0 && (first[i] < 0 || first[i] > from)                 // the page may begin before it
		high := end < int(m.legs[i].total) && (last[i] < to-1 || first[i] < 0) // or go on behind it
		if low || high || from < 0 && w.From > 0 {
			known = false
			// Look in a stretch four times as long, which in the end is all of the list.
			grow := SaturatingAdd(max(w.Limit, 64), max(w.Limit, 64))
			at := min(w.From, int(m.legs[i].total))
			lower := max(at-grow, 0)
			next[i] = Window{From: lower, Limit: SaturatingAdd(SaturatingAdd(at-lower, w.Limit), grow)}
		}
	}
	if !known {
		return nil, next, total, nil
	}
	found = []Place{}
	for n := max(from, 0); n < to && n < len(merged); n++ {
		h := &m.hits[merged[n]]
		found = append(found, Place{Leg: int(h.leg), At: windows[h.leg].From + int(h.pos)})
	}
	return found, nil, total, nil
}

// Pick appends the page of documents that were located, out of what the legs sent of their lists from the given
// places on. Windows without an answer give nothing.
func Pick(dst []byte, spec *DocumentsSpec, found []Place, total int, windows []Window) ([]byte, error) {
	docs := make([][][]byte, len(windows))
	for i := range windows {
		if len(windows[i].Body) == 0 {
			continue // the leg has failed since then
		}
		results, _ := rawjson.Get(windows[i].Body, "results")
		err := rawjson.EachElement(results, func(doc []byte) bool {
			docs[i] = append(docs[i], doc)
			return true
		})
		if err != nil {
			return dst, &LegError{Leg: i, Err: err}
		}
	}
	out := append(dst, `{"results":[`...)
	first := true
	for _, p := range found {
		at := p.At - windows[p.Leg].From
		if at < 0 || at >= len(docs[p.Leg]) {
			continue // deleted meanwhile
		}
		if !first {
			out = append(out, ',')
		}
		first = false
		out = StripDocument(out, docs[p.Leg][at])
	}
	return spec.end(out, int64(total)), nil
}
