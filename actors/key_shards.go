package actors

import (
	"bytes"
	"encoding/json"
	"math"
	"strconv"
	"strings"

	"github.com/miroir-search/miroir/embedded/filter"
	"github.com/miroir-search/miroir/topology"
)

// maxKeys bounds the primary keys that a filter is followed for: many of them
// are on all nodes anyway.
const maxKeys = 256

// keyShards finds the shards that hold everything a filter can match, because it
// names the primary keys. ok is false when the filter does not surely do so. A
// filter that nobody can meet has one shard: somebody has to say so.
func keyShards(raw []byte, pk string, shards int) (set topology.ShardSet, ok bool) {
	if pk == "" || raw == nil || !bytes.Contains(raw, []byte(pk)) {
		return set, false
	}
	var v any
	if json.Unmarshal(raw, &v) != nil {
		return set, false
	}
	expr, err := filter.Parse(v)
	if err != nil || expr == nil {
		return set, false // the node has the words for it
	}
	set, ok = impliedShards(expr, pk, shards)
	if ok && set.Empty() {
		set.Add(0)
	}
	return set, ok
}

// impliedShards follows what has to hold of the primary key.
func impliedShards(e *filter.Expr, pk string, shards int) (topology.ShardSet, bool) {
	switch {
	case e.Kind == filter.And:
		out, found := topology.ShardSet{}, false
		for _, k := range e.Kids {
			set, ok := impliedShards(k, pk, shards)
			switch {
			case ok && found:
				out = out.And(set)
			case ok:
				out, found = set, true
			}
		}
		return out, found
	case e.Kind == filter.Or:
		out := topology.NewShardSet(shards)
		for _, k := range e.Kids {
			set, ok := impliedShards(k, pk, shards)
			if !ok {
				return out, false
			}
			out.AddAll(set)
		}
		return out, true
	case e.Field.Value != pk, e.Kind != filter.In && (e.Kind != filter.Compare || e.Op != filter.Equal):
		return topology.ShardSet{}, false
	}
	keys := []string{}
	for _, v := range e.Values {
		of, ok := keysEqual(v.Value)
		if keys = append(keys, of...); !ok || len(keys) > maxKeys {
			return topology.ShardSet{}, false
		}
	}
	return shardsOf(keys, shards), true
}

func shardsOf(keys []string, shards int) topology.ShardSet {
	set := topology.NewShardSet(shards)
	for _, k := range keys {
		set.Add(topology.ShardOf([]byte(k), shards))
	}
	return set
}

// maxFolded is for how many letters both cases are tried.
const maxFolded = 4

// keysEqual lists all primary keys that `pk = value` can match, or more. Strings
// are compared without regard to case, and numbers by their value as a float.
func keysEqual(value string) (keys []string, ok bool) {
	value = strings.TrimSpace(value)
	keys = []string{""}
	letters := 0
	for i := range len(value) {
		c := value[i]
		switch {
		case c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z':
			if letters++; letters > maxFolded {
				return nil, false
			}
			for _, k := range keys {
				keys = append(keys, k+string(c^0x20))
			}
			for k := range len(keys) / 2 {
				keys[k] += string(c)
			}
		case c < 0x80:
			for k := range keys {
				keys[k] += string(c)
			}
		default: // may be the same as some letter or digit once it is normalized
			return nil, false
		}
	}
	if f, err := strconv.ParseFloat(value, 64); err == nil && !strings.Contains(value, "_") {
		if math.Abs(f) >= 1<<53 {
			return nil, false // several whole numbers are this float
		}
		if f == math.Trunc(f) {
			keys = append(keys, strconv.FormatInt(int64(f), 10))
		}
	}
	return keys, true
}
