package engine

import (
	"fmt"

	"github.com/RoaringBitmap/roaring/v2"

	"github.com/miroir-search/miroir/embedded/filter"
)

// point reads a latitude and a longitude and checks their ranges.
func (ev *evaluator) point(lat, lng filter.Token) (Point, bool) {
	a, err := lat.Float()
	if err == nil {
		var b float64
		if b, err = lng.Float(); err == nil {
			switch {
			case a < -90 || a > 90:
				err = lat.Errorf("%s", badLatitude(a))
			case b < -180 || b > 180:
				err = lng.Errorf("%s", badLongitude(b))
			default:
				return Point{a, b}, true
			}
		}
	}
	ev.fail(err)
	return Point{}, false
}

func (ev *evaluator) radius(v []filter.Token) *roaring.Bitmap {
	center, ok := ev.point(v[0], v[1])
	if !ok {
		return roaring.New()
	}
	radius, err := v[2].Float()
	if err != nil {
		return ev.fail(err)
	}
	if len(v) > 3 {
		r, err := v[3].Float()
		if err != nil {
			return ev.fail(err)
		}
		if n := int(r); n < 3 || n > 1000 {
			return ev.fail(v[3].Errorf("Invalid resolution `%d`. Resolution must be between 3 and 1000.", max(n, 0)))
		}
	}
	if !ev.c.cfg.geoFilterable() {
		return ev.fail(v[0].Errorf("%s", ev.c.notFilterable("_geo/_geojson")))
	}
	out := roaring.New()
	it := ev.c.geo.Iterator()
	for it.HasNext() {
		doc := it.Next()
		if distance(center, *ev.c.docs[doc].geo) <= radius+2.2204460492503131e-16 {
			out.Add(doc)
		}
	}
	return out
}

func (ev *evaluator) box(v []filter.Token) *roaring.Bitmap {
	top, ok := ev.point(v[0], v[1])
	if !ok {
		return roaring.New()
	}
	bottom, ok := ev.point(v[2], v[3])
	if !ok {
		return roaring.New()
	}
	if top.Lat < bottom.Lat {
		return ev.fail(v[3].Errorf("%s", fmt.Sprintf("The top latitude `%s` is below the bottom latitude `%s`.", formatNumber(top.Lat), formatNumber(bottom.Lat))))
	}
	if !ev.c.cfg.geoFilterable() {
		return ev.fail(v[0].Errorf("%s", ev.c.notFilterable("_geo/_geojson")))
	}
	out := roaring.New()
	it := ev.c.geo.Iterator()
	for it.HasNext() {
		doc := it.Next()
		p := ev.c.docs[doc].geo
		east := p.Lng >= bottom.Lng && p.Lng <= top.Lng
		if top.Lng < bottom.Lng { // across the date line
			east = p.Lng >= bottom.Lng || p.Lng <= top.Lng
		}
		if east && p.Lat >= bottom.Lat && p.Lat <= top.Lat {
			out.Add(doc)
		}
	}
	return out
}

// polygon only ever looks at _geojson on a real server, which is not kept
// here.
func (ev *evaluator) polygon(v []filter.Token) *roaring.Bitmap {
	if !ev.c.cfg.Filterable("_geojson") {
		return ev.fail(v[0].Errorf("%s", ev.c.notFilterable("_geojson")))
	}
	for i := 0; i+1 < len(v); i += 2 {
		if _, ok := ev.point(v[i], v[i+1]); !ok {
			return roaring.New()
		}
	}
	return ev.fail(v[0].Errorf("polygons are not supported by the embedded engine"))
}
