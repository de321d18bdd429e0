package engine

import (
	"slices"

	"github.com/miroir-search/miroir/rawjson"
)

// Checker refuses documents that their own settings make bad, before anything is
// done with them, in the words of Index.Apply. A proxy has one, because a bad
// document must not reach one node of several. It is for one goroutine.
type Checker struct {
	geo     bool
	vectors extractor // only its settings are used
	// given are the embedders whose vectors must come with the documents.
	given []string
}

// NewChecker makes the checker of some settings, of which those that make _geo and
// _vectors matter are looked at. An embedder with zero dimensions takes vectors of
// any. given names the embedders whose vectors must come with the documents.
func NewChecker(s Settings, given ...string) *Checker {
	return &Checker{geo: s.geoEnabled(), vectors: extractor{cfg: &config{Settings: s}}, given: given}
}

// Found is what a document says that settings give a meaning.
type Found struct {
	Geo, Vectors bool // it has the field
	// GeoErr and VectorsErr are what is wrong with them.
	GeoErr, VectorsErr error
	// Lacking are the embedders of which it brings no vectors and should; it may
	// have some already, unless it asks for new ones and is among Asking.
	Lacking, Asking []string
}

// Check looks at one valid document.
func (c *Checker) Check(id string, doc []byte) (f Found) {
	var geo, vectors []byte
	var m rawjson.Members
	for m.Init(doc); m.Next(); { // of members that occur twice the last one counts
		switch {
		case rawjson.KeyEquals(m.Key, "_geo"):
			geo = m.Value
		case rawjson.KeyEquals(m.Key, "_vectors"):
			vectors = m.Value
		}
	}
	f.Geo, f.Vectors = geo != nil, vectors != nil
	if f.Geo && c.geo {
		f.GeoErr = c.geoError(id, geo)
	}
	d := document{id: id}
	c.vectors.asking = c.vectors.asking[:0]
	if f.Vectors {
		f.VectorsErr = c.vectorsError(&d, vectors)
	}
	for _, name := range c.given {
		if _, ok := d.vectors[name]; ok {
			continue
		}
		f.Lacking = append(f.Lacking, name)
		if slices.Contains(c.vectors.asking, name) {
			f.Asking = append(f.Asking, name)
		}
	}
	return f
}

func (c *Checker) geoError(id string, text []byte) error {
	v, err := parseJSON(text)
	if err == nil {
		_, err = readGeo(id, &v)
	}
	return err
}

func (c *Checker) vectorsError(d *document, text []byte) error {
	v, err := parseJSON(text)
	if err == nil {
		err = c.vectors.readVectors(d, &v)
	}
	return err
}

// Lacking is the error of documents without the vectors of an embedder.
func Lacking(embedder string, ids []string) error { return lackingVectors(embedder, ids) }
