package merge

import (
	"bytes"
	"errors"

	"github.com/miroir-search/miroir/rawjson"
)

// leg is one node's answer while it is read.
type leg struct {
	body  []byte
	index int32
	at    int   // where the next hit begins, or where the list's closing bracket is
	count int32 // hits read so far
	ended bool  // the closing bracket has been reached
	read  bool  // the members behind the list are known

	run    []int32 // hits the rules leave equal, in order; consumed from the front
	head   int     // first of run that is not consumed
	newest int32   // one more than the index of the hit read last; 0 if there is none
	next   int32   // the hit behind the run, already read; -1 if there is none

	query, queryVector, facets, stats, performance []byte
	requestUID, metadata, metadataKey              []byte
	total, millis, semantic                        int64
}

var (
	errNoList   = errors.New("no list of hits")
	errNotHit   = errors.New("an element of the list is not an object")
	errList     = errors.New("the list of hits is broken")
	errTrailing = errors.New("text behind the answer")
)

// open finds the list called name. The list is the first member of every real answer, so that is tried first;
// otherwise the whole body is walked once.
func (l *leg) open(name string) error {
	i := rawjson.SkipSpace(l.body, 0)
	rest := l.body[i:]
	if n := len(name); len(rest) > n+5 && rest[0] == '{' && rest[1] == '"' && string(rest[2:n+2]) == name &&
		rest[n+2] == '"' && rest[n+3] == ':' && rest[n+4] == '[' {
		l.at = i + n + 5
		return l.first()
	}
	var it rawjson.Members
	list := -1
	for it.Init(l.body); it.Next(); {
		if rawjson.KeyEquals(it.Key, name) {
			list = cap(l.body) - cap(it.Value)
			continue
		}
		l.member(it.Key, it.Value)
	}
	if it.Err != nil {
		return it.Err
	}
	if list < 0 || l.body[list] != '[' {
		return errNoList
	}
	l.read = true
	l.at = list + 1
	return l.first()
}

// first settles at the first hit or the end of an empty list.
func (l *leg) first() error {
	l.at = rawjson.SkipSpace(l.body, l.at)
	if l.at >= len(l.body) {
		return errList
	}
	l.ended = l.body[l.at] == ']'
	return nil
}

// advance settles behind a hit that ended at end.
func (l *leg) advance(end int) error {
	i := rawjson.SkipSpace(l.body, end)
	if i >= len(l.body) {
		return errList
	}
	switch l.body[i] {
	case ']':
		l.ended = true
	case ',':
		if i = rawjson.SkipSpace(l.body, i+1); i >= len(l.body) {
			return errList
		}
	default:
		return errList
	}
	l.at = i
	return nil
}

// tail reads the members behind the list. Hits that were not consumed are passed over: marker is what follows the
// list in every real answer, and looking for it from behind spares scanning them.
func (l *leg) tail(marker string) error {
	if l.read {
		return nil
	}
	l.read = true
	if !l.ended {
		if at := l.findEnd(marker); at > 0 {
			try := *l
			try.at = at
			if try.walkTail() == nil {
				*l = try
				return nil
			}
		}
		if err := l.skipHits(); err != nil {
			return err
		}
	}
	return l.walkTail()
}

// walkTail reads the members from behind the list's closing bracket, at l.at, to the end of the body.
func (l *leg) walkTail() error {
	w := walker{data: l.body, i: l.at + 1, started: true}
	for {
		more, err := w.next()
		if err != nil {
			return err
		}
		if !more {
			break
		}
		value, err := w.skip()
		if err != nil {
			return err
		}
		l.member(w.key(), value)
	}
	if rawjson.SkipSpace(l.body, w.i) < len(l.body) {
		return errTrailing
	}
	return nil
}

// tailWindow is how far from the end the marker is looked for: facets can make tails long, and searching
// backwards is slower than skipping forwards.
const tailWindow = 2048

// findEnd returns where the list's closing bracket is, 0 if that is not seen at once. The marker begins with the
// bracket and goes on with a member name in unescaped quotes, so it cannot lie inside a string; and behind the list
// no array is followed by a member of that name. Should an answer have another form and the marker lie inside a hit,
// the walk from there does not end with the body, and the hits are skipped one by one.
func (l *leg) findEnd(marker string) int {
	from := max(l.at, len(l.body)-tailWindow)
	if n := bytes.LastIndex(l.body[from:], []byte(marker)); n >= 0 {
		return from + n
	}
	return 0
}

func (l *leg) skipHits() error {
	for !l.ended {
		end, err := rawjson.SkipValue(l.body, l.at)
		if err != nil {
			return err
		}
		if err := l.advance(end); err != nil {
			return err
		}
	}
	return nil
}

// member keeps what merging needs of the answer's other members.
func (l *leg) member(key, value []byte) {
	switch string(key) {
	case "query":
		l.query = value
	case "queryVector", "queryVectors":
		l.queryVector = value
	case "facetsByIndex":
		l.facetsByIndex(value)
	case "processingTimeMs":
		l.millis, _ = rawjson.ParseInt(value)
	case "semanticHitCount":
		l.semantic, _ = rawjson.ParseInt(value)
	case "estimatedTotalHits", "totalHits", "total":
		l.total, _ = rawjson.ParseInt(value)
	case "facetDistribution":
		l.facets = value
	case "facetStats":
		l.stats = value
	case "performanceDetails":
		l.performance = value
	case "requestUid":
		l.requestUID = value
	case "metadata":
		l.metadataKey, l.metadata = key, value
	}
}

// readHit appends the next hit of l to m.hits; -1 when there is none.
func (m *merger) readHit(l *leg) (int32, error) {
	if l.ended {
		return -1, nil
	}
	if l.body[l.at] != '{' {
		return -1, errNotHit
	}
	end, err := m.scanHit(l, l.at)
	if err != nil {
		return -1, err
	}
	if err := l.advance(end); err != nil {
		return -1, err
	}
	return int32(len(m.hits) - 1), nil
}

// refill reads the next run of l: hits the rules leave equal come in the node's internal order, which is nearly
// but not surely insertion order, so a run is sorted before it is merged. The order between runs is the node's and
// is kept: it knows costs that the details do not show.
func (m *merger) refill(l *leg) error {
	l.run, l.head = l.run[:0], 0
	first := l.next
	l.next = -1
	if first < 0 {
		var err error
		if first, err = m.readHit(l); err != nil || first < 0 {
			return err
		}
	}
	l.run = append(l.run, first)
	for {
		i, err := m.readHit(l)
		if err != nil {
			return err
		}
		if i < 0 {
			break
		}
		if m.compareKeys(&m.hits[first], &m.hits[i]) != 0 {
			l.next = i
			break
		}
		l.run = append(l.run, i)
	}
	if len(l.run) > 1 {
		m.sortTies(l.run)
	}
	return nil
}
