package engine

import (
	"math"
	"sort"
	"sync"

	"github.com/RoaringBitmap/roaring/v2"
)

// facetValue is one value of a field and the documents that hold it.
type facetValue struct {
	isNum bool
	num   float64
	norm  string // what strings are compared by
	shown string // how the first document spelt it
	mixed bool   // other documents spelt it differently
	docs  *roaring.Bitmap
}

// facet are the values of one field.
type facet struct {
	exists, null, empty *roaring.Bitmap
	values              []*facetValue // by value number; nil when free
	free                []uint32
	byNum               map[uint64]uint32 // by the bits: minus zero is another number
	byStr               map[string]uint32

	mu     sync.Mutex // guards what follows, which readers fill
	sorted *facetOrder
}

// facetOrder lists the values of a facet in order.
type facetOrder struct {
	nums, strs []uint32 // value numbers
	rank       []uint32 // place of each value number within nums or strs
}

func newFacet() *facet {
	return &facet{
		exists: roaring.New(), null: roaring.New(), empty: roaring.New(),
		byNum: make(map[uint64]uint32), byStr: make(map[string]uint32),
	}
}

// order sorts the values when they changed since the last time.
func (f *facet) order() *facetOrder {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.sorted != nil {
		return f.sorted
	}
	o := &facetOrder{rank: make([]uint32, len(f.values))}
	for id, v := range f.values {
		switch {
		case v == nil:
		case v.isNum:
			o.nums = append(o.nums, uint32(id))
		default:
			o.strs = append(o.strs, uint32(id))
		}
	}
	sort.Slice(o.nums, func(i, j int) bool {
		a, b := f.values[o.nums[i]].num, f.values[o.nums[j]].num
		return a < b || a == b && math.Signbit(a) && !math.Signbit(b)
	})
	sort.Slice(o.strs, func(i, j int) bool { return f.values[o.strs[i]].norm < f.values[o.strs[j]].norm })
	for i, id := range o.nums {
		o.rank[id] = uint32(i)
	}
	for i, id := range o.strs {
		o.rank[id] = uint32(i)
	}
	f.sorted = o
	return o
}

func (f *facet) newValue(v *facetValue) uint32 {
	f.sorted = nil
	if n := len(f.free); n > 0 {
		id := f.free[n-1]
		f.free = f.free[:n-1]
		f.values[id] = v
		return id
	}
	f.values = append(f.values, v)
	return uint32(len(f.values) - 1)
}

func (f *facet) number(n float64) uint32 {
	id, ok := f.byNum[math.Float64bits(n)]
	if !ok {
		id = f.newValue(&facetValue{isNum: true, num: n, docs: roaring.New()})
		f.byNum[math.Float64bits(n)] = id
	}
	return id
}

func (f *facet) str(s string) uint32 {
	norm := cutFacet(normalizeFacet(s))
	id, ok := f.byStr[norm]
	if !ok {
		id = f.newValue(&facetValue{norm: norm, shown: s, docs: roaring.New()})
		f.byStr[norm] = id
	} else if v := f.values[id]; v.shown != s {
		v.mixed = true
	}
	return id
}

// add notes the values of a document and returns their numbers.
func (f *facet) add(doc uint32, raw *rawFacet) docFacet {
	d := docFacet{field: raw.field, state: raw.state}
	f.exists.Add(doc)
	if raw.state&facetNull != 0 {
		f.null.Add(doc)
	}
	if raw.state&facetEmpty != 0 {
		f.empty.Add(doc)
	}
	for _, n := range raw.nums {
		d.values = append(d.values, f.number(n))
	}
	for _, s := range raw.strs {
		d.values = append(d.values, f.str(s))
	}
	d.values = uniqueIDs(d.values)
	for _, id := range d.values {
		f.values[id].docs.Add(doc)
	}
	return d
}

func uniqueIDs(ids []uint32) []uint32 {
	if len(ids) < 2 {
		return ids
	}
	sort.Slice(ids, func(i, j int) bool { return ids[i] < ids[j] })
	out := ids[:1]
	for _, id := range ids[1:] {
		if id != out[len(out)-1] {
			out = append(out, id)
		}
	}
	return out
}

func (f *facet) remove(doc uint32, d *docFacet) {
	f.exists.Remove(doc)
	f.null.Remove(doc)
	f.empty.Remove(doc)
	for _, id := range d.values {
		v := f.values[id]
		v.docs.Remove(doc)
		if !v.docs.IsEmpty() {
			continue
		}
		if v.isNum {
			delete(f.byNum, math.Float64bits(v.num))
		} else {
			delete(f.byStr, v.norm)
		}
		f.values[id] = nil
		f.free = append(f.free, id)
		f.sorted = nil
	}
}

// sortKey is the place of a document among all values of a field, lower first;
// documents without a value come last. Numbers come before strings in both
// directions. only restricts it to numbers or to strings.
func (f *facet) sortKey(d *docFacet, asc bool, only *bool) (key uint64, value uint32, ok bool) {
	if f == nil || d == nil || len(d.values) == 0 {
		return math.MaxUint64, 0, false
	}
	o := f.order()
	key = math.MaxUint64
	for _, id := range d.values {
		if only != nil && *only != f.values[id].isNum {
			continue
		}
		rank, n, shift := uint64(o.rank[id]), uint64(len(o.nums)), uint64(0)
		if !f.values[id].isNum {
			n, shift = uint64(len(o.strs)), uint64(len(o.nums))
		}
		if !asc {
			rank = n - 1 - rank
		}
		if k := shift + rank; k < key {
			key, value = k, id
		}
	}
	return key, value, key != math.MaxUint64
}

// sortValue is what a sort rule reports for a value: float64 or string.
func (v *facetValue) sortValue() any {
	if v.isNum {
		return v.num
	}
	return v.norm
}
