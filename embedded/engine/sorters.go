package engine

import (
	"cmp"
	"math"
	"slices"

	"github.com/RoaringBitmap/roaring/v2"
)

// valueSort parts documents by the values of a field.
type valueSort struct {
	c      *core
	field  string
	asc    bool
	hidden bool
	only   *bool // only numbers, or only strings

	routes *routes
	list   []keyedDoc
	done   bool
}

type keyedDoc struct {
	doc   uint32
	key   uint64
	value uint32
	found bool
}

func (r *valueSort) start(universe *roaring.Bitmap, in *routes) {
	r.routes, r.done = in, r.only != nil
	r.list = r.list[:0]
	f, id := r.c.facetOf(r.field)
	if f == nil {
		return
	}
	universe.Iterate(func(doc uint32) bool {
		key, value, ok := f.sortKey(r.c.docs[doc].facet(id), r.asc, r.only)
		if ok {
			r.list = append(r.list, keyedDoc{doc, key, value, ok})
		}
		return true
	})
	slices.SortStableFunc(r.list, func(a, b keyedDoc) int { return cmp.Compare(a.key, b.key) })
}

func (r *valueSort) next(universe *roaring.Bitmap) (bucket, bool) {
	s := RuleScore{Kind: RuleSort, Key: r.field + direction(r.asc), Asc: r.asc, Hidden: r.hidden}
	for len(r.list) > 0 {
		first, docs := r.list[0], roaring.New()
		for len(r.list) > 0 && r.list[0].key == first.key {
			if universe.Contains(r.list[0].doc) {
				docs.Add(r.list[0].doc)
			}
			r.list = r.list[1:]
		}
		if !docs.IsEmpty() {
			f, _ := r.c.facetOf(r.field)
			s.Value = f.values[first.value].sortValue()
			return bucket{docs, r.routes, s}, true
		}
	}
	if r.done {
		return bucket{}, false
	}
	r.done = true
	return bucket{universe.Clone(), r.routes, s}, true
}

// geoSort parts documents by their distance from a point. Those within a metre of
// the first of a bucket are in it, and count as standing where that one stands.
type geoSort struct {
	c   *core
	at  Point
	asc bool

	routes *routes
	list   []farDoc
	done   bool
}

type farDoc struct {
	doc uint32
	far float64
}

const (
	geoMargin     = 1.0  // metres
	geoBucketSize = 1000 // documents
	geoExact      = 1000 // documents from which on distances are not cut to metres
)

func (r *geoSort) start(universe *roaring.Bitmap, in *routes) {
	r.routes, r.done = in, false
	r.list = r.list[:0]
	roaring.And(universe, r.c.geo).Iterate(func(doc uint32) bool {
		r.list = append(r.list, farDoc{doc, distance(r.at, *r.c.docs[doc].geo)})
		return true
	})
	coarse := len(r.list) < geoExact
	slices.SortStableFunc(r.list, func(a, b farDoc) int {
		if coarse {
			return cmp.Compare(math.Trunc(a.far), math.Trunc(b.far))
		}
		return cmp.Compare(a.far, b.far)
	})
	if !r.asc {
		slices.Reverse(r.list)
	}
}

func (r *geoSort) next(universe *roaring.Bitmap) (bucket, bool) {
	s := RuleScore{Kind: RuleGeo, Asc: r.asc, Target: r.at,
		Key: "_geoPoint(" + formatNumber(r.at.Lat) + ", " + formatNumber(r.at.Lng) + ")" + direction(r.asc)}
	docs := roaring.New()
	for len(r.list) > 0 && docs.GetCardinality() < geoBucketSize {
		d := r.list[0]
		switch {
		case !universe.Contains(d.doc):
		case s.Geo == nil:
			s.Geo, s.Distance = r.c.docs[d.doc].geo, d.far
			docs.Add(d.doc)
		case math.Abs(s.Distance-d.far) > geoMargin:
			return bucket{docs, r.routes, s}, true
		default:
			docs.Add(d.doc)
		}
		r.list = r.list[1:]
	}
	if !docs.IsEmpty() {
		return bucket{docs, r.routes, s}, true
	}
	if r.done {
		return bucket{}, false
	}
	r.done = true
	return bucket{universe.Clone(), r.routes, s}, true
}

// vectorSort parts documents by the similarity of their vectors.
type vectorSort struct {
	similarity map[uint32]float32

	routes *routes
	list   []nearDoc
	done   bool
}

type nearDoc struct {
	doc  uint32
	near float32
}

func (r *vectorSort) start(universe *roaring.Bitmap, in *routes) {
	r.routes, r.done = in, false
	r.list = r.list[:0]
	universe.Iterate(func(doc uint32) bool {
		if near, ok := r.similarity[doc]; ok {
			r.list = append(r.list, nearDoc{doc, near})
		}
		return true
	})
	slices.SortStableFunc(r.list, func(a, b nearDoc) int { return cmp.Compare(b.near, a.near) })
}

func (r *vectorSort) next(universe *roaring.Bitmap) (bucket, bool) {
	s := RuleScore{Kind: RuleVector, Key: "vectorSort"}
	for len(r.list) > 0 {
		first, docs := r.list[0], roaring.New()
		for len(r.list) > 0 && r.list[0].near == first.near {
			if universe.Contains(r.list[0].doc) {
				docs.Add(r.list[0].doc)
			}
			r.list = r.list[1:]
		}
		if !docs.IsEmpty() {
			f := float64(first.near)
			s.Similarity = &f
			return bucket{docs, r.routes, s}, true
		}
	}
	if r.done {
		return bucket{}, false
	}
	r.done = true
	return bucket{universe.Clone(), r.routes, s}, true
}
