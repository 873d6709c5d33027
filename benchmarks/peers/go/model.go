package main

import (
	"encoding/json"
	"math"
	"os"
	"sort"
)

// Event is one customer; a number that is missing or null stays NaN, a text stays empty.
type Event struct {
	CustomerID       string  `json:"customerID"`
	Gender           string  `json:"gender"`
	SeniorCitizen    int     `json:"SeniorCitizen"`
	Partner          string  `json:"Partner"`
	Dependents       string  `json:"Dependents"`
	Tenure           float64 `json:"tenure"`
	PhoneService     string  `json:"PhoneService"`
	MultipleLines    string  `json:"MultipleLines"`
	InternetService  string  `json:"InternetService"`
	OnlineSecurity   string  `json:"OnlineSecurity"`
	OnlineBackup     string  `json:"OnlineBackup"`
	DeviceProtection string  `json:"DeviceProtection"`
	TechSupport      string  `json:"TechSupport"`
	StreamingTV      string  `json:"StreamingTV"`
	StreamingMovies  string  `json:"StreamingMovies"`
	Contract         string  `json:"Contract"`
	PaperlessBilling string  `json:"PaperlessBilling"`
	PaymentMethod    string  `json:"PaymentMethod"`
	MonthlyCharges   float64 `json:"MonthlyCharges"`
	TotalCharges     float64 `json:"TotalCharges"`
	EventTs          string  `json:"event_ts"`
}

func newEvent() Event {
	missing := math.NaN()
	return Event{Tenure: missing, MonthlyCharges: missing, TotalCharges: missing}
}

// Term is a table or a curve, as benchmarks/exported.py writes it.
type Term struct {
	Terms        map[string]float64 `json:"terms"`
	Other        float64            `json:"other"`
	Missing      float64            `json:"missing"`
	Knots        []float64          `json:"knots"`
	Coefficients [][]float64        `json:"coefficients"`
}

// Model is the exported one.
type Model struct {
	Version   string          `json:"version"`
	Threshold float64         `json:"threshold"`
	Base      float64         `json:"base"`
	Terms     map[string]Term `json:"terms"`

	texts   []textTerm
	numbers []numberTerm
}

type textTerm struct {
	term  Term
	value func(*Event) string
}

type numberTerm struct {
	term  Term
	value func(*Event) float64
}

func readModel(path string) *Model {
	content, err := os.ReadFile(path)
	orDie(err)
	model := &Model{}
	orDie(json.Unmarshal(content, model))
	text := func(name string, value func(*Event) string) {
		model.texts = append(model.texts, textTerm{model.Terms[name], value})
	}
	number := func(name string, value func(*Event) float64) {
		model.numbers = append(model.numbers, numberTerm{model.Terms[name], value})
	}
	text("gender", func(e *Event) string { return e.Gender })
	text("SeniorCitizen", func(e *Event) string { return [...]string{"0", "1"}[e.SeniorCitizen] })
	text("Partner", func(e *Event) string { return e.Partner })
	text("Dependents", func(e *Event) string { return e.Dependents })
	text("PhoneService", func(e *Event) string { return e.PhoneService })
	text("MultipleLines", func(e *Event) string { return e.MultipleLines })
	text("InternetService", func(e *Event) string { return e.InternetService })
	text("OnlineSecurity", func(e *Event) string { return e.OnlineSecurity })
	text("OnlineBackup", func(e *Event) string { return e.OnlineBackup })
	text("DeviceProtection", func(e *Event) string { return e.DeviceProtection })
	text("TechSupport", func(e *Event) string { return e.TechSupport })
	text("StreamingTV", func(e *Event) string { return e.StreamingTV })
	text("StreamingMovies", func(e *Event) string { return e.StreamingMovies })
	text("Contract", func(e *Event) string { return e.Contract })
	text("PaperlessBilling", func(e *Event) string { return e.PaperlessBilling })
	text("PaymentMethod", func(e *Event) string { return e.PaymentMethod })
	number("tenure", func(e *Event) float64 { return e.Tenure })
	number("MonthlyCharges", func(e *Event) float64 { return e.MonthlyCharges })
	number("TotalCharges", func(e *Event) float64 { return e.TotalCharges })
	return model
}

func (m *Model) probability(event *Event) float64 {
	logOdds := m.Base
	for i := range m.texts {
		logOdds += m.texts[i].term.ofText(m.texts[i].value(event))
	}
	for i := range m.numbers {
		logOdds += m.numbers[i].term.ofNumber(m.numbers[i].value(event))
	}
	return 1 / (1 + math.Exp(-logOdds))
}

func (t *Term) ofText(text string) float64 {
	if term, known := t.Terms[text]; known {
		return term
	}
	if text == "" {
		return t.Missing
	}
	return t.Other
}

func (t *Term) ofNumber(value float64) float64 {
	if math.IsNaN(value) {
		return t.Missing
	}
	log := math.Copysign(math.Log1p(math.Abs(value)), value)
	log = min(max(log, t.Knots[0]), t.Knots[len(t.Knots)-1])
	piece := sort.Search(len(t.Knots), func(i int) bool { return t.Knots[i] > log }) - 1
	piece = min(piece, len(t.Coefficients)-1)
	distance, sum := log-t.Knots[piece], 0.0
	for _, coefficient := range t.Coefficients[piece] {
		sum = sum*distance + coefficient
	}
	return sum
}
