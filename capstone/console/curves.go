package console

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// A point is the price of one delivery on a curve.
type point struct{ Curve, Delivery, Price, Currency string }

// A curve has its points in the order of deliveries.
type curve struct {
	Name, Currency string
	Points         []point
}

// curves shows each price curve as of the two times.
func curves(c *Config, r *http.Request, p *page) error {
	var points []point
	var all []curve
	if err := c.ask(r.Context(), p, "curves", p.Keep, &points); err != nil {
		return err
	}
	for _, q := range points { // sorted by curve, then by delivery
		if len(all) == 0 || all[len(all)-1].Name != q.Curve {
			all = append(all, curve{Name: q.Curve, Currency: q.Currency})
		}
		last := &all[len(all)-1]
		last.Points = append(last.Points, q)
	}
	p.Body = struct{ Curves []curve }{all}
	return nil
}

// The drawing of a curve, in units of SVG.
const (
	drawnWidth, drawnHeight = 600, 120
	margin                  = 10
)

// A dot is the place of a point in the drawing.
type dot struct {
	X, Y int
	point
}

// Dots places the points from left to right, the highest price at the top. A price is exact in the
// table; only its place is rounded.
func (c curve) Dots() []dot {
	prices := make([]float64, len(c.Points))
	for i, q := range c.Points {
		prices[i], _ = strconv.ParseFloat(q.Price, 64) // a price of the API is a number
	}
	low, high := prices[0], prices[0]
	for _, price := range prices {
		low, high = min(low, price), max(high, price)
	}
	dots := make([]dot, len(prices))
	for i, price := range prices {
		share := 0.5
		if high > low {
			share = (price - low) / (high - low)
		}
		dots[i] = dot{drawnWidth / 2, margin + int((1-share)*(drawnHeight-2*margin)), c.Points[i]}
		if n := len(prices) - 1; n > 0 {
			dots[i].X = margin + i*(drawnWidth-2*margin)/n
		}
	}
	return dots
}

// Line returns the dots as the points of a polyline.
func (c curve) Line() string {
	var line strings.Builder
	for _, d := range c.Dots() {
		fmt.Fprintf(&line, "%d,%d ", d.X, d.Y)
	}
	return strings.TrimSpace(line.String())
}
