//! The people and places of the demo. Nobody here exists; every city does.

/// Everybody's password in the demo.
pub(crate) const PASSWORD: &str = "seven quiet lighthouses";

/// Name and address.
pub(crate) const PEOPLE: [(&str, &str); 12] = [
    ("Hanne Brandt", "hanne@example.org"),
    ("Mateo Silva", "mateo@example.org"),
    ("Ines Laurent", "ines@example.org"),
    ("Kofi Mensah", "kofi@example.org"),
    ("Yuki Tanaka", "yuki@example.org"),
    ("Greta Lind", "greta@example.org"),
    ("Omar Haddad", "omar@example.org"),
    ("Priya Nair", "priya@example.org"),
    ("Tom Walker", "tom@example.org"),
    ("Lucia Rossi", "lucia@example.org"),
    ("Anna Huber", "anna@example.org"),
    ("Ben Okafor", "ben@example.org"),
];

/// A city with its country, its place and its time zone.
pub(crate) struct City {
    pub(crate) name: &'static str,
    pub(crate) country: &'static str,
    pub(crate) latitude: f64,
    pub(crate) longitude: f64,
    pub(crate) zone: &'static str,
}

const fn city(
    name: &'static str,
    country: &'static str,
    (latitude, longitude): (f64, f64),
    zone: &'static str,
) -> City {
    City { name, country, latitude, longitude, zone }
}

/// Where the homes are.
pub(crate) const CITIES: [City; 12] = [
    city("Lisbon", "PT", (38.7223, -9.1393), "Europe/Lisbon"),
    city("Paris", "FR", (48.8566, 2.3522), "Europe/Paris"),
    city("Berlin", "DE", (52.5200, 13.4050), "Europe/Berlin"),
    city("Vienna", "AT", (48.2082, 16.3738), "Europe/Vienna"),
    city("Rome", "IT", (41.9028, 12.4964), "Europe/Rome"),
    city("Barcelona", "ES", (41.3874, 2.1686), "Europe/Madrid"),
    city("Copenhagen", "DK", (55.6761, 12.5683), "Europe/Copenhagen"),
    city("Edinburgh", "GB", (55.9533, -3.1883), "Europe/London"),
    city("Accra", "GH", (5.6037, -0.1870), "Africa/Accra"),
    city("Kyoto", "JP", (35.0116, 135.7681), "Asia/Tokyo"),
    city("New York", "US", (40.7128, -74.0060), "America/New_York"),
    city("Auckland", "NZ", (-36.8509, 174.7645), "Pacific/Auckland"),
];

/// What kinds of home there are.
pub(crate) const KINDS: [&str; 5] = ["Loft", "Garden flat", "Attic studio", "Townhouse", "Harbour apartment"];
