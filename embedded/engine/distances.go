package engine

import "github.com/RoaringBitmap/roaring/v2"

// distances are the documents in which two words stand so far apart: right behind each
// other, one place further, two places further.
type distances [maxNear - 1]*roaring.Bitmap

// nearKey names two words, or what two nodes of a query match.
type nearKey struct {
	left, right columnKey
	cached      bool // words that only begin like the right one do not count backwards
	phrase      bool // only the words right behind each other were looked for
}

// maxDistances is how many pairs of words are kept.
const maxDistances = 512

func (l *columns) getNear(key nearKey) *distances {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.near[key]
}

func (l *columns) putNear(key nearKey, d *distances) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.near == nil || len(l.near) >= maxDistances {
		l.near = map[nearKey]*distances{}
	}
	l.near[key] = d
}

// distances tells how near two neighbours of a query stand wherever they stand in one
// attribute; nil when columns are not worth having for so many documents.
func (m *matcher) distances(st step, looked int) *distances {
	n := m.g.nodes[st.right.node]
	var key nearKey
	var leftTerms, rightTerms []uint32
	key.left, leftTerms = m.wordsOf(st.left, false)
	key.right, rightTerms = m.wordsOf(st.right, false)
	key.cached = n.cached && len(rightTerms) > 1
	if d := m.c.columns.getNear(key); d != nil {
		return d
	}
	left, right := m.c.column(key.left, leftTerms, looked), m.c.column(key.right, rightTerms, looked)
	if left == nil || right == nil {
		return nil
	}
	back := right
	if n.cached {
		backKey, terms := m.wordsOf(st.right, true)
		if back = m.c.column(backKey, terms, looked); back == nil {
			return nil
		}
	}
	d := nearDocs(left, right, back)
	m.c.columns.putNear(key, d)
	return d
}

// nearDocs compares the places of words. back are those on the right that count in
// front of the left ones, too.
func nearDocs(left, right, back *column) *distances {
	var lists [maxNear - 1][]uint32
	a, b, c := cursor{c: left}, cursor{c: right}, cursor{c: back}
	for _, doc := range left.docs {
		places, others := a.places(doc), b.places(doc)
		if others == nil {
			continue
		}
		best := ahead(places, others, maxNear) - 1
		if best > 1 {
			best = min(best, ahead(c.places(doc), places, maxNear-1))
		}
		if int(best) < len(lists) {
			lists[best] = append(lists[best], doc)
		}
	}
	d := &distances{}
	for i := range lists {
		d[i] = roaring.BitmapOf(lists[i]...)
	}
	return d
}

// following are the documents in which two words stand right behind each other; nil
// when columns are not worth having.
func (c *core) following(left, right uint32, looked int) *roaring.Bitmap {
	key := nearKey{left: columnKey{term: left}, right: columnKey{term: right}, phrase: true}
	if d := c.columns.getNear(key); d != nil && looked >= c.columns.least {
		return d[0]
	}
	a, b := c.termColumn(left, looked), c.termColumn(right, looked)
	if a == nil || b == nil {
		return nil
	}
	var docs []uint32
	from, to := cursor{c: a}, cursor{c: b}
	for _, doc := range a.docs {
		if others := to.places(doc); others != nil && ahead(from.places(doc), others, 2) == 1 {
			docs = append(docs, doc)
		}
	}
	d := &distances{roaring.BitmapOf(docs...)}
	c.columns.putNear(key, d)
	return d[0]
}
