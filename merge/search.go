package merge

import (
	"bytes"
	"errors"
	"strconv"

	"github.com/miroir-search/miroir/rawjson"
)

// hitsEnd is what follows the hits in a node's answer.
const hitsEnd = `],"query":`

// ErrShort says that the legs have too few hits for the page, and may have more.
var ErrShort = errors.New("too few hits for the page")

// errSlow says that a hit was met whose place depends on hits not seen yet.
var errSlow = errors.New("hit needs the slow path")

// Search appends to dst the answer that one node holding the documents of all legs would give to the search that
// spec describes. No legs give an answer without hits. The error is a *LegError when a leg is not a search
// answer; hits that are not needed for the page are not looked at.
func Search(dst []byte, spec *SearchSpec, legs [][]byte) ([]byte, error) {
	m := newMerger()
	defer m.release()
	m.show(spec)
	m.addLegs(legs)
	for i := range m.legs {
		if err := m.legs[i].open("hits"); err != nil {
			return dst, &LegError{Leg: i, Err: err}
		}
	}
	out, page, err := m.appendPage(appendOpening(dst, spec), spec)
	if err != nil {
		return dst, err
	}
	for i := range m.legs {
		if err := m.legs[i].tail(hitsEnd); err != nil {
			return dst, &LegError{Leg: i, Err: err}
		}
	}
	out, err = m.appendTail(append(out, ']'), spec, page)
	if err != nil {
		return dst, err
	}
	return out, nil
}

// show takes over what the client may see of hits.
func (m *merger) show(spec *SearchSpec) {
	m.hide, m.strip, m.unasked = spec.HiddenSorts, spec.Strip, spec.Unasked
	m.keepScore, m.keepDetails = spec.ShowRankingScore, spec.ShowRankingScoreDetails
}

// appendOpening appends what comes before the first hit.
func appendOpening(out []byte, spec *SearchSpec) []byte {
	out = append(out, '{')
	if spec.IndexUID != "" {
		out = append(rawjson.AppendString(append(out, `"indexUid":`...), spec.IndexUID), ',')
	}
	return append(out, `"hits":[`...)
}

// page is what the answer says about the hits that are shown.
type page struct {
	semantic int64 // hits placed by similarity
	rejected int64 // hits left out as duplicates of the distinct attribute
}

// appendPage appends the hits of the page, commas between them.
func (m *merger) appendPage(out []byte, spec *SearchSpec) ([]byte, page, error) {
	var p page
	from, to := spec.window()
	if from == to {
		return out, p, nil
	}
	if spec.Pins {
		return m.appendSlow(out, spec)
	}
	begin := len(out)
	shown := 0
	for rank := 0; rank < to; {
		if m.short(spec.LegDepth) {
			return out, p, ErrShort
		}
		h, err := m.pop()
		if errors.Is(err, errSlow) {
			m.rewind()
			return m.appendSlow(out[:begin], spec)
		}
		if err != nil {
			return out, p, err
		}
		if h == nil {
			break
		}
		if spec.Distinct != "" && !m.seen.admit(m, h, spec.Distinct) {
			p.rejected++
			m.reject(h)
			continue
		}
		if rank >= from {
			if shown++; shown > 1 {
				out = append(out, ',')
			}
			out = m.appendHit(out, h)
			if h.semantic {
				p.semantic++
			}
		}
		rank++
	}
	return out, p, nil
}

// short reports whether a leg is used up that may have more hits than it was asked for.
func (m *merger) short(depth int) bool {
	if depth <= 0 {
		return false
	}
	for i := range m.legs {
		if l := &m.legs[i]; l.ended && l.head == len(l.run) && l.next < 0 && int(l.count) >= depth {
			return true
		}
	}
	return false
}

// reject remembers a hit that is left out, because facet counts lose its values.
func (m *merger) reject(h *hit) {
	m.rejects = append(m.rejects, m.legs[h.leg].body[h.from:h.to])
}

// pop takes the best hit of all legs; nil when they are used up.
func (m *merger) pop() (*hit, error) {
	var best *leg
	for i := range m.legs {
		l := &m.legs[i]
		if l.head == len(l.run) {
			if l.next < 0 && l.ended {
				continue
			}
			if err := m.refill(l); err != nil {
				return nil, &LegError{Leg: i, Err: err}
			}
			for _, h := range l.run {
				if m.hits[h].slow {
					return nil, errSlow
				}
			}
			if len(l.run) == 0 {
				continue
			}
		}
		if best == nil || m.compare(&m.hits[l.run[l.head]], &m.hits[best.run[best.head]]) < 0 {
			best = l
		}
	}
	if best == nil {
		return nil, nil
	}
	best.head++
	return &m.hits[best.run[best.head-1]], nil
}

// slowest returns the performance details of the leg that took longest, nil when no leg has any.
func (m *merger) slowest() (performance []byte) {
	millis := int64(-1)
	for i := range m.legs {
		l := &m.legs[i]
		if l.performance != nil && (l.millis > millis || l.millis == millis && bytes.Compare(l.performance, performance) < 0) {
			millis, performance = l.millis, l.performance
		}
	}
	return performance
}

// appendTail appends everything behind the list of hits, in the order of a real answer.
func (m *merger) appendTail(out []byte, spec *SearchSpec, p page) ([]byte, error) {
	var total, millis int64
	var query, vector []byte
	for i := range m.legs {
		l := &m.legs[i]
		total += l.total
		millis = max(millis, l.millis)
		if query == nil {
			query = l.query
		}
		if vector == nil {
			vector = l.queryVector
		}
	}
	if total = max(total-p.rejected, 0); spec.Total != nil {
		total = *spec.Total
	}
	if spec.Query != nil {
		query = spec.Query
	}
	if query == nil {
		query = []byte(`""`)
	}
	if spec.ProcessingTimeMs > 0 {
		millis = spec.ProcessingTimeMs
	}
	out = append(append(out, `,"query":`...), query...)
	out = appendRaw(out, `,"queryVector":`, vector)
	out = appendInt(out, `,"processingTimeMs":`, millis)
	out = appendTotals(out, spec, total)
	if spec.HasFacets && m.hasFacets(spec.Count) {
		var err error
		if out, err = m.appendFacets(out, spec, total); err != nil {
			return nil, err
		}
	}
	if spec.RequestUID != "" {
		out = rawjson.AppendString(append(out, `,"requestUid":`...), spec.RequestUID)
	}
	out = appendRaw(out, `,"metadata":`, spec.Metadata)
	out = appendRaw(out, `,"performanceDetails":`, m.slowest())
	if spec.SemanticHits {
		out = appendInt(out, `,"semanticHitCount":`, p.semantic)
	}
	return append(out, '}'), nil
}

// Totals is how many documents the legs count together.
func Totals(legs [][]byte) (n int64, err error) {
	m := newMerger()
	defer m.release()
	m.addLegs(legs)
	if err := m.readTails(); err != nil {
		return 0, err
	}
	return m.totals(), nil
}

// Size is how many hits a leg gave, and what it counts.
type Size struct {
	Hits  int
	Total int64
}

// Sizes gives them for all legs.
func Sizes(legs [][]byte) ([]Size, error) {
	m := newMerger()
	defer m.release()
	m.addLegs(legs)
	if err := m.readAll(); err != nil {
		return nil, err
	}
	out := make([]Size, len(m.legs))
	for i := range m.legs {
		out[i] = Size{int(m.legs[i].count), m.legs[i].total}
	}
	return out, nil
}

// readTails reads what follows the hits of all legs.
func (m *merger) readTails() error {
	for i := range m.legs {
		l := &m.legs[i]
		err := l.open("hits")
		if err == nil {
			err = l.tail(hitsEnd)
		}
		if err != nil {
			return &LegError{Leg: i, Err: err}
		}
	}
	return nil
}

// appendTotals appends the members that differ between the two ways of asking for a page.
func appendTotals(out []byte, spec *SearchSpec, total int64) []byte {
	bound := int64(spec.MaxTotalHits)
	capped := spec.CapTotals && bound > 0
	if capped {
		total = min(total, bound)
	}
	if !spec.PageMode {
		offset := int64(spec.Offset)
		if capped {
			offset = min(offset, bound)
		}
		out = appendInt(out, `,"limit":`, int64(spec.Limit))
		out = appendInt(out, `,"offset":`, offset)
		return appendInt(out, `,"estimatedTotalHits":`, total)
	}
	pages := int64(0)
	if size := int64(spec.HitsPerPage); size > 0 {
		pages = total / size
		if total%size > 0 {
			pages++
		}
	}
	out = appendInt(out, `,"hitsPerPage":`, int64(spec.HitsPerPage))
	out = appendInt(out, `,"page":`, int64(spec.Page))
	out = appendInt(out, `,"totalPages":`, pages)
	return appendInt(out, `,"totalHits":`, total)
}

// appendInt appends a member, its name given with the comma before and the colon behind.
func appendInt(out []byte, name string, n int64) []byte {
	return strconv.AppendInt(append(out, name...), n, 10)
}

// appendRaw appends a member unless its value is absent.
func appendRaw(out []byte, name string, value []byte) []byte {
	if value == nil {
		return out
	}
	return append(append(out, name...), value...)
}
