package merge

import (
	"bytes"
	"cmp"
	"math"
	"slices"
	"strconv"

	"github.com/miroir-search/miroir/rawjson"
)

// The slow path reads every hit of every leg before it orders any. Two things need it: distances, because a node
// lets points within one metre of each other tie, which no comparison of two hits alone can reproduce; and pins,
// whose place does not depend on their rank.

const (
	// bucketMetres is how far a point may be from the first of its bucket, and bucketSize how many fit in one.
	bucketMetres = 1.0
	bucketSize   = 1000
	// wholeMetres is below how many candidates a node sorts points by distance cut to whole metres.
	wholeMetres = 1000
)

// rewind forgets all hits read so far.
func (m *merger) rewind() {
	m.hits, m.slots, m.edits = m.hits[:0], m.slots[:0], m.edits[:0]
	m.seen.reset()
	clear(m.rejects)
	m.rejects = m.rejects[:0]
	for i := range m.legs {
		l := &m.legs[i]
		*l = leg{body: l.body, index: l.index, next: -1, run: l.run[:0]}
	}
}

// readAll reads all legs to their end.
func (m *merger) readAll() error {
	m.rewind()
	for i := range m.legs {
		l := &m.legs[i]
		err := l.open("hits")
		for n := int32(0); err == nil && n >= 0; {
			n, err = m.readHit(l)
		}
		if err == nil {
			err = l.tail(hitsEnd)
		}
		if err != nil {
			return &LegError{Leg: i, Err: err}
		}
	}
	return nil
}

// appendSlow does what appendPage does, with all hits in hand.
func (m *merger) appendSlow(out []byte, spec *SearchSpec) ([]byte, page, error) {
	var p page
	if err := m.readAll(); err != nil {
		return out, p, err
	}
	var total int64
	for i := range m.legs {
		total += m.legs[i].total
	}
	m.order, m.pins = m.order[:0], m.pins[:0]
	for i := range m.hits {
		if m.pinned(&m.hits[i]) {
			m.pins = append(m.pins, int32(i))
		} else {
			m.order = append(m.order, int32(i))
		}
	}
	m.refine(m.order, 0, total < wholeMetres)
	from, to := spec.window()
	if spec.Distinct != "" {
		if p.rejected = m.dedupe(spec.Distinct, spec.LegDepth, to); p.rejected < 0 {
			return out, p, ErrShort
		}
	}
	m.insertPins()
	for i := from; i < min(to, len(m.order)); i++ {
		if i > from {
			out = append(out, ',')
		}
		h := &m.hits[m.order[i]]
		out = m.appendHit(out, h)
		if h.semantic {
			p.semantic++
		}
	}
	return out, p, nil
}

// slotAt returns what the rule at that place says of a hit.
func (m *merger) slotAt(i int32, place int) *slot {
	h := &m.hits[i]
	if at := int(h.slots0) + place; at < int(h.slots1) {
		return &m.slots[at]
	}
	return &noSlot
}

var noSlot slot

// refine orders group, hits that are equal in all rules before place, as a node does: into buckets by the rule
// at place, each of which the following rules refine.
func (m *merger) refine(group []int32, place int, whole bool) {
	if len(group) < 2 {
		return
	}
	more, geo := false, false
	for _, i := range group {
		s := m.slotAt(i, place)
		more = more || s.rule != ruleNone
		geo = geo || s.rule == ruleNear || s.rule == ruleFar
	}
	if !more {
		m.sortTies(group)
		return
	}
	if geo {
		m.refineGeo(group, place, whole)
		return
	}
	slices.SortFunc(group, func(a, b int32) int {
		if c := m.compareAt(a, b, place); c != 0 {
			return c
		}
		return compareTies(&m.hits[a], &m.hits[b])
	})
	for from := 0; from < len(group); {
		to := from + 1
		for to < len(group) && m.compareAt(group[from], group[to], place) == 0 {
			to++
		}
		m.refine(group[from:to], place+1, whole)
		from = to
	}
}

func (m *merger) compareAt(a, b int32, place int) int {
	return compareSlots(m.slotAt(a, place), m.slotAt(b, place))
}

// refineGeo makes buckets of points: the first point not yet taken opens a bucket, and those after it join as long
// as each is within a metre of that first one.
func (m *merger) refineGeo(group []int32, place int, whole bool) {
	for _, i := range group {
		m.measure(i, place)
	}
	slices.SortFunc(group, func(a, b int32) int {
		x, y := m.slotAt(a, place), m.slotAt(b, place)
		if x.rule != y.rule || x.class != y.class || x.class != classNumber {
			if c := compareSlots(x, y); c != 0 {
				return c
			}
			return compareTies(&m.hits[a], &m.hits[b])
		}
		dx, dy := x.a, y.a
		if whole {
			dx, dy = math.Floor(dx), math.Floor(dy)
		}
		c := cmp.Compare(dx, dy)
		if c == 0 {
			c = compareTies(&m.hits[a], &m.hits[b])
		}
		if x.rule == ruleFar {
			return -c
		}
		return c
	})
	for from := 0; from < len(group); {
		first := m.slotAt(group[from], place)
		to := from + 1
		for to < len(group) && m.sameBucket(first, m.slotAt(group[to], place)) &&
			(first.class != classNumber || to-from < bucketSize) {
			to++
		}
		m.refine(group[from:to], place+1, whole)
		from = to
	}
}

func (m *merger) sameBucket(first, s *slot) bool {
	if first.rule != s.rule || first.class != s.class {
		return false
	}
	return first.class != classNumber || math.Abs(first.a-s.a) <= bucketMetres
}

// measure replaces the distance a node reported, which is that of the bucket's first point, by the hit's own where
// the hit shows where it is.
func (m *merger) measure(i int32, place int) {
	h, s := &m.hits[i], m.slotAt(i, place)
	if s.class != classNumber || h.geo == nil {
		return
	}
	lat, ok1 := coordinate(h.geo, "lat")
	lng, ok2 := coordinate(h.geo, "lng")
	if ok1 && ok2 {
		s.a = distance(s.point, [2]float64{lat, lng})
	}
}

// coordinate reads a number that may be written as a string, as documents are allowed to.
func coordinate(geo []byte, name string) (float64, bool) {
	v, ok := rawjson.Get(geo, name)
	if !ok {
		return 0, false
	}
	if len(v) > 2 && v[0] == '"' {
		f, err := strconv.ParseFloat(string(v[1:len(v)-1]), 64)
		return f, err == nil
	}
	return rawjson.ParseFloat(v)
}

// distance is the haversine distance in metres on a sphere of 6,371 km, rounded to the millimetre as nodes do.
func distance(a, b [2]float64) float64 {
	const radius, rad = 6371e3, math.Pi / 180
	haversine := func(theta float64) float64 { return (1 - math.Cos(theta)) / 2 }
	phi1, phi2 := a[0]*rad, b[0]*rad
	h := haversine(phi2-phi1) + math.Cos(phi1)*math.Cos(phi2)*haversine(b[1]*rad-a[1]*rad)
	return math.Round(2*radius*math.Asin(math.Sqrt(h))*1000) / 1000
}

// geoPoint reads the point out of a rule named `_geoPoint(lat, lng):asc`.
func geoPoint(key []byte) (point [2]float64, ok bool) {
	rest, ok := bytes.CutPrefix(key, []byte("_geoPoint("))
	if !ok {
		return point, false
	}
	inner, _, ok := bytes.Cut(rest, []byte("):"))
	if !ok {
		return point, false
	}
	lat, lng, ok := bytes.Cut(inner, []byte(","))
	if !ok {
		return point, false
	}
	for i, part := range [2][]byte{lat, lng} {
		f, err := strconv.ParseFloat(string(bytes.TrimSpace(part)), 64)
		if err != nil {
			return point, false
		}
		point[i] = f
	}
	return point, true
}

// GeoPoint reads the point out of a sort such as `_geoPoint(1.5, 2):asc`.
func GeoPoint(sort string) (point [2]float64, ok bool) { return geoPoint([]byte(sort)) }

// pinned reports whether a rule put the hit at a fixed position.
func (m *merger) pinned(h *hit) bool {
	for i := h.slots0; i < h.slots1; i++ {
		if m.slots[i].rule == rulePin {
			return true
		}
	}
	return false
}

func (m *merger) pinPosition(i int32) int {
	h := &m.hits[i]
	for at := h.slots0; at < h.slots1; at++ {
		if m.slots[at].rule == rulePin {
			return int(min(max(m.slots[at].a, 0), math.MaxInt32))
		}
	}
	return 0
}

// insertPins puts pinned hits at their positions among the others, or at the end where the list is shorter.
func (m *merger) insertPins() {
	slices.SortFunc(m.pins, func(a, b int32) int {
		if c := cmp.Compare(m.pinPosition(a), m.pinPosition(b)); c != 0 {
			return c
		}
		return compareTies(&m.hits[a], &m.hits[b])
	})
	for _, p := range m.pins {
		at := min(m.pinPosition(p), len(m.order))
		m.order = slices.Insert(m.order, at, p)
	}
}

// dedupe drops from the order all hits that show a value of the attribute again, and returns how many; -1 when a leg
// that may have more than depth hits is used up before the page ends at to.
func (m *merger) dedupe(attribute string, depth, to int) int64 {
	left := make([]int32, len(m.legs))
	for _, i := range m.order {
		left[m.hits[i].leg]++
	}
	kept := m.order[:0]
	all := len(m.order)
	for _, i := range m.order {
		h := &m.hits[i]
		if m.seen.admit(m, h, attribute) {
			kept = append(kept, i)
		} else if len(kept) < to {
			m.reject(h)
		}
		if left[h.leg]--; left[h.leg] == 0 && depth > 0 && int(m.legs[h.leg].count) >= depth && len(kept) < to {
			return -1
		}
	}
	m.order = kept
	return int64(all - len(kept))
}
