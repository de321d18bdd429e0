package merge

import (
	"errors"
	"testing"
)

const (
	statsA = `{"numberOfDocuments":4,"rawDocumentDbSize":4096,"avgDocumentSize":100,"isIndexing":false,"numberOfEmbeddings":2,"numberOfEmbeddedDocuments":1,"fieldDistribution":{"id":4,"_miroir_shard":4,"b":1}}`
	statsB = `{"numberOfDocuments":12,"rawDocumentDbSize":8192,"avgDocumentSize":200,"isIndexing":true,"fieldDistribution":{"\u005fmiroir_seq":12,"a":2,"id":12}}`
)

func TestIndexStats(t *testing.T) {
	tests := []struct {
		name string
		spec StatsSpec
		legs []string
		want string
	}{
		{"counts add, the average is weighted, our fields vanish", StatsSpec{}, []string{statsA, statsB},
			`{"numberOfDocuments":16,"rawDocumentDbSize":12288,"avgDocumentSize":175,"isIndexing":true,"numberOfEmbeddings":2,"numberOfEmbeddedDocuments":1,"fieldDistribution":{"a":2,"b":1,"id":16}}`},
		{"copies are counted once", StatsSpec{Copies: 2}, []string{statsB, statsB},
			`{"numberOfDocuments":12,"rawDocumentDbSize":8192,"avgDocumentSize":200,"isIndexing":true,"fieldDistribution":{"a":2,"id":12}}`},
		{"sizes for people", StatsSpec{HumanSizes: true}, []string{statsA},
			`{"numberOfDocuments":4,"rawDocumentDbSize":"4.00 KiB","avgDocumentSize":"100 B","isIndexing":false,"numberOfEmbeddings":2,"numberOfEmbeddedDocuments":1,"fieldDistribution":{"b":1,"id":4}}`},
		{"databases add, null embeddings stay absent", StatsSpec{}, []string{
			`{"numberOfDocuments":0,"internalDatabaseSizes":{"main":1,"documents":2},"numberOfEmbeddings":null,"fieldDistribution":{}}`,
			`{"numberOfDocuments":0,"internalDatabaseSizes":{"documents":3,"new":4}}`},
			`{"numberOfDocuments":0,"rawDocumentDbSize":0,"avgDocumentSize":0,"isIndexing":false,"internalDatabaseSizes":{"documents":5,"new":4,"main":1},"fieldDistribution":{}}`},
		{"no legs", StatsSpec{}, nil, `{"numberOfDocuments":0,"rawDocumentDbSize":0,"avgDocumentSize":0,"isIndexing":false,"fieldDistribution":{}}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			legs := make([][]byte, len(tt.legs))
			for i, l := range tt.legs {
				legs[i] = []byte(l)
			}
			out, err := IndexStats(nil, &tt.spec, legs)
			if err != nil || string(out) != tt.want {
				t.Errorf("%v\n got %s\nwant %s", err, out, tt.want)
			}
		})
	}
	for _, bad := range []string{`{"numberOfDocuments":"x"}`, `{`, `{"fieldDistribution":{"a":null}}`} {
		_, err := IndexStats(nil, &StatsSpec{}, [][]byte{[]byte(statsA), []byte(bad)})
		if le := (*LegError)(nil); !errors.As(err, &le) || le.Leg != 1 {
			t.Errorf("%s: %v", bad, err)
		}
	}
}

func TestGlobalStats(t *testing.T) {
	a := `{"databaseSize":10,"usedDatabaseSize":4,"lastUpdate":"2026-01-02T03:04:05.5Z","indexes":{"i2":` + statsA + `,"theirs":` + statsA + `}}`
	b := `{"databaseSize":20,"usedDatabaseSize":6,"lastUpdate":"2026-01-02T03:04:05.123456Z","indexes":{"i1":` + statsB + `,"i2":` + statsB + `}}`
	c := `{"databaseSize":0,"usedDatabaseSize":0,"lastUpdate":null,"indexes":{}}`
	spec := &StatsSpec{Names: map[string]string{"i1": "zoo", "i2": "a\"b"}}
	one := `{"numberOfDocuments":12,"rawDocumentDbSize":8192,"avgDocumentSize":200,"isIndexing":true,"fieldDistribution":{"a":2,"id":12}}`
	both := `{"numberOfDocuments":16,"rawDocumentDbSize":12288,"avgDocumentSize":175,"isIndexing":true,"numberOfEmbeddings":2,"numberOfEmbeddedDocuments":1,"fieldDistribution":{"a":2,"b":1,"id":16}}`
	want := `{"databaseSize":30,"usedDatabaseSize":10,"lastUpdate":"2026-01-02T03:04:05.5Z","indexes":{"a\"b":` + both + `,"zoo":` + one + `}}`
	for _, legs := range [][][]byte{{[]byte(a), []byte(b), []byte(c)}, {[]byte(c), []byte(b), []byte(a)}} {
		out, err := GlobalStats(nil, spec, legs)
		if err != nil || string(out) != want {
			t.Errorf("%v\n got %s\nwant %s", err, out, want)
		}
	}
	out, _ := GlobalStats(nil, spec, [][]byte{[]byte(c)})
	if want := `{"databaseSize":0,"usedDatabaseSize":0,"lastUpdate":null,"indexes":{}}`; string(out) != want {
		t.Errorf("empty: %s", out)
	}
}
