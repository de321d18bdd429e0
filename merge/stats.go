package merge

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/miroir-search/miroir/rawjson"
)

// StatsSpec says how the statistics of several nodes become those of one. Sizes must have been asked for as plain
// numbers (`sizeFormat=raw`); HumanSizes writes them the other way.
type StatsSpec struct {
	// Copies is how often every document is counted over all legs together; 0 means once.
	Copies int64
	// HumanSizes writes sizes as text such as "1.50 MiB".
	HumanSizes bool
	// Injected is how many bytes of every document are ours; sizes of documents are shown without them.
	Injected int64
	// Names maps the nodes' index uids to the client's, for GlobalStats. An index that is absent is left out.
	Names map[string]string
}

// indexStats is the sum over nodes for one index.
type indexStats struct {
	uid                                string
	documents, size                    int64
	held                               int64 // documents of the nodes, counted or not
	values                             int64 // bytes of documents without their keys, which the average is of
	embeddings, embedded               int64
	hasEmbeddings, hasEmbedded, isBusy bool
	databases, fields                  counts
}

// counts adds numbers by name and remembers the order in which names came.
type counts struct {
	names  []string
	values map[string]int64
}

func (c *counts) add(name string, n int64) {
	if c.values == nil {
		c.values = make(map[string]int64)
	}
	if _, known := c.values[name]; !known {
		c.names = append(c.names, name)
	}
	c.values[name] += n
}

// addObject adds all members of an object of numbers but ours.
func (c *counts) addObject(obj []byte) error {
	var it rawjson.Members
	for it.Init(obj); it.Next(); {
		if reserved(it.Key) {
			continue
		}
		n, ok := rawjson.ParseInt(it.Value)
		if !ok {
			return fmt.Errorf("count of %q is not a number", it.Key)
		}
		c.add(name(it.Key), n)
	}
	return it.Err
}

// IndexStats appends the answer one node would give to `GET /indexes/{uid}/stats`: counts and sizes added over the legs
// and divided by spec.Copies (rounded to nearest), the average size weighted by documents, indexing if any leg is,
// field names of ours left out. The error is a *LegError when a leg is not such an answer.
func IndexStats(dst []byte, spec *StatsSpec, legs [][]byte) ([]byte, error) {
	var s indexStats
	for i, body := range legs {
		if err := s.add(body); err != nil {
			return dst, &LegError{Leg: i, Err: err}
		}
	}
	return s.append(dst, spec), nil
}

// GlobalStats appends the answer one node would give to `GET /stats`: per index as IndexStats does, sizes of the
// databases added and divided, the latest update. Indexes are named by spec.Names, in order of the client's uids.
func GlobalStats(dst []byte, spec *StatsSpec, legs [][]byte) ([]byte, error) {
	var size, used int64
	var update []byte
	indexes := make(map[string]*indexStats)
	for i, body := range legs {
		var it rawjson.Members
		for it.Init(body); it.Next(); {
			var err error
			switch string(it.Key) {
			case "databaseSize":
				err = addInt(&size, it.Value)
			case "usedDatabaseSize":
				err = addInt(&used, it.Value)
			case "lastUpdate":
				update = latest(update, it.Value)
			case "indexes":
				err = addIndexes(indexes, spec, it.Value)
			}
			if err != nil {
				return dst, &LegError{Leg: i, Err: fmt.Errorf("read %s: %w", it.Key, err)}
			}
		}
		if it.Err != nil {
			return dst, &LegError{Leg: i, Err: it.Err}
		}
	}
	out := appendSize(append(dst, `{"databaseSize":`...), spec, spec.share(size))
	out = appendSize(append(out, `,"usedDatabaseSize":`...), spec, spec.share(used))
	if update == nil {
		update = []byte("null")
	}
	out = appendRaw(out, `,"lastUpdate":`, update)
	out = append(out, `,"indexes":{`...)
	sorted := make([]*indexStats, 0, len(indexes))
	for _, s := range indexes {
		sorted = append(sorted, s)
	}
	slices.SortFunc(sorted, func(a, b *indexStats) int { return strings.Compare(a.uid, b.uid) })
	for i, s := range sorted {
		if i > 0 {
			out = append(out, ',')
		}
		out = s.append(append(rawjson.AppendString(out, s.uid), ':'), spec)
	}
	return append(out, "}}"...), nil
}

func addIndexes(indexes map[string]*indexStats, spec *StatsSpec, obj []byte) error {
	var it rawjson.Members
	for it.Init(obj); it.Next(); {
		uid, ok := spec.Names[name(it.Key)]
		if !ok {
			continue
		}
		s := indexes[uid]
		if s == nil {
			s = &indexStats{uid: uid}
			indexes[uid] = s
		}
		if err := s.add(it.Value); err != nil {
			return err
		}
	}
	return it.Err
}

// latest returns the later of two timestamps, null being the earliest.
func latest(a, b []byte) []byte {
	if a == nil {
		return b
	}
	ta, tb := timestamp(a), timestamp(b)
	if c := tb.Compare(ta); c > 0 || c == 0 && bytes.Compare(b, a) > 0 && !tb.IsZero() {
		return b
	}
	return a
}

func timestamp(v []byte) time.Time {
	t, err := time.Parse(time.RFC3339Nano, string(bytes.Trim(v, `"`)))
	if err != nil {
		return time.Time{}
	}
	return t
}

func addInt(sum *int64, v []byte) error {
	n, ok := rawjson.ParseInt(v)
	if !ok {
		return fmt.Errorf("%q is not a whole number", v)
	}
	*sum += n
	return nil
}

// add adds one node's statistics of the index.
func (s *indexStats) add(body []byte) error {
	var documents, average int64
	var it rawjson.Members
	for it.Init(body); it.Next(); {
		var err error
		switch string(it.Key) {
		case "numberOfDocuments":
			err = addInt(&documents, it.Value)
		case "rawDocumentDbSize":
			err = addInt(&s.size, it.Value)
		case "avgDocumentSize":
			err = addInt(&average, it.Value)
		case "isIndexing":
			s.isBusy = s.isBusy || string(it.Value) == "true"
		case "internalDatabaseSizes":
			err = s.databases.addObject(it.Value)
		case "numberOfEmbeddings":
			if s.hasEmbeddings = s.hasEmbeddings || it.Value[0] != 'n'; it.Value[0] != 'n' {
				err = addInt(&s.embeddings, it.Value)
			}
		case "numberOfEmbeddedDocuments":
			if s.hasEmbedded = s.hasEmbedded || it.Value[0] != 'n'; it.Value[0] != 'n' {
				err = addInt(&s.embedded, it.Value)
			}
		case "fieldDistribution":
			err = s.fields.addObject(it.Value)
		}
		if err != nil {
			return fmt.Errorf("read %s: %w", it.Key, err)
		}
	}
	s.documents += documents
	s.values += average * documents
	return it.Err
}

// share divides a sum by the number of copies, rounded to the nearest.
func (spec *StatsSpec) share(n int64) int64 {
	if spec.Copies <= 1 {
		return n
	}
	return (n + spec.Copies/2) / spec.Copies
}

// append writes the statistics in the key order of a real answer.
func (s *indexStats) append(out []byte, spec *StatsSpec) []byte {
	average := int64(0)
	if s.documents > 0 {
		average = max(s.values/s.documents-spec.Injected, 0)
	}
	out = appendInt(out, `{"numberOfDocuments":`, spec.share(s.documents))
	out = appendSize(append(out, `,"rawDocumentDbSize":`...), spec, spec.share(max(s.size-s.documents*spec.Injected, 0)))
	out = appendSize(append(out, `,"avgDocumentSize":`...), spec, average)
	out = append(out, `,"isIndexing":`...)
	out = strconv.AppendBool(out, s.isBusy)
	if len(s.databases.names) > 0 {
		out = append(out, `,"internalDatabaseSizes":{`...)
		slices.SortStableFunc(s.databases.names, func(a, b string) int { return cmp.Compare(s.databases.values[b], s.databases.values[a]) })
		for i, db := range s.databases.names {
			if i > 0 {
				out = append(out, ',')
			}
			out = append(rawjson.AppendString(out, db), ':')
			out = appendSize(out, spec, spec.share(s.databases.values[db]))
		}
		out = append(out, '}')
	}
	if s.hasEmbeddings {
		out = appendInt(out, `,"numberOfEmbeddings":`, spec.share(s.embeddings))
	}
	if s.hasEmbedded {
		out = appendInt(out, `,"numberOfEmbeddedDocuments":`, spec.share(s.embedded))
	}
	out = append(out, `,"fieldDistribution":{`...)
	slices.Sort(s.fields.names)
	for i, field := range s.fields.names {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(rawjson.AppendString(out, field), ':')
		out = strconv.AppendInt(out, spec.share(s.fields.values[field]), 10)
	}
	return append(out, "}}"...)
}
