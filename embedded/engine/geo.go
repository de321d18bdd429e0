package engine

import "math"

// earthRadius is the radius of the earth a server reckons with, in metres.
const earthRadius = 6371000

// distance is how far two points are apart along a great circle, in metres,
// rounded to millimetres.
func distance(a, b Point) float64 {
	lat1, lat2 := a.Lat*math.Pi/180, b.Lat*math.Pi/180
	sinLat := math.Sin((lat2 - lat1) / 2)
	sinLng := math.Sin((b.Lng - a.Lng) * math.Pi / 360)
	h := sinLat*sinLat + math.Cos(lat1)*math.Cos(lat2)*sinLng*sinLng
	return math.Round(2*earthRadius*math.Asin(math.Min(1, math.Sqrt(h)))*1000) / 1000
}
