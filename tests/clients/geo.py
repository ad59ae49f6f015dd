"""Geo search as applications use it: who is near, in a box, sorted and limited, stored and paged, while drivers move."""
import math
import random

from redis import exceptions

from app import connect, equal, near, refused, run, start

EARTH_M = 6372797.560856
CITIES = {
    "paris": (2.3522, 48.8566),
    "london": (-0.1276, 51.5072),
    "berlin": (13.4050, 52.5200),
    "madrid": (-3.7038, 40.4168),
    "rome": (12.4964, 41.9028),
    "tokyo": (139.6917, 35.6895),
    "sydney": (151.2093, -33.8688),
}


def distance_m(one, other):
    (lon1, lat1), (lon2, lat2) = [tuple(math.radians(angle) for angle in point) for point in (one, other)]
    half = math.sin((lat2 - lat1) / 2) ** 2 + math.cos(lat1) * math.cos(lat2) * math.sin((lon2 - lon1) / 2) ** 2
    return 2 * EARTH_M * math.asin(math.sqrt(half))


def fill(client, key, points):
    flat = [part for name, (lon, lat) in points.items() for part in (lon, lat, name)]
    return client.geoadd(key, flat)


def cities():
    client = connect()
    equal(fill(client, "cities", CITIES), 7)
    for one in CITIES:
        near(client.geodist("cities", one, "paris", "m"), distance_m(CITIES[one], CITIES["paris"]), 2, one)
    near(client.geodist("cities", "paris", "london", "km"), 343.6, 0.5)
    near(client.geodist("cities", "paris", "london", "mi"), 213.5, 0.5)
    equal(client.geodist("cities", "paris", "atlantis"), None)
    for name, position in zip(CITIES, client.geopos("cities", *CITIES)):
        near(position[0], CITIES[name][0], 1e-5), near(position[1], CITIES[name][1], 1e-5)
    equal(client.geopos("cities", "atlantis"), [None])
    equal(client.geohash("cities", "paris", "atlantis"), ["u09tvw0f640", None])
    equal(client.geosearch("cities", member="paris", radius=1000, unit="km", sort="ASC"), ["paris", "london", "berlin"])
    found = client.geosearch("cities", longitude=2, latitude=48, radius=500, unit="km", sort="DESC", withdist=True, withcoord=True, withhash=True)
    equal([row[0] for row in found], ["london", "paris"])
    near(found[0][1], distance_m((2, 48), CITIES["london"]) / 1000, 0.01)
    near(found[0][3][0], -0.1276, 1e-5)
    assert isinstance(found[0][2], int), found
    equal(client.geosearch("cities", longitude=5, latitude=46, width=2400, height=1400, unit="km", sort="ASC", count=2), ["paris", "london"])
    equal(client.georadiusbymember("cities", "paris", 400, unit="km", sort="ASC"), ["paris", "london"])
    equal(client.georadius("cities", 139, 35, 200, unit="km"), ["tokyo"])


def a_search_finds_exactly_who_is_there():
    client, chance = connect(), random.Random(11)
    points = {f"p{number}": (chance.uniform(-179, 179), chance.uniform(-80, 80)) for number in range(600)}
    near_by = {f"n{number}": (chance.uniform(10, 11), chance.uniform(45, 46)) for number in range(600)}
    fill(client, "points", {**points, **near_by})
    everyone = {**points, **near_by}
    for _ in range(40):
        centre = (chance.uniform(10, 11), chance.uniform(45, 46)) if chance.random() < 0.6 else (chance.uniform(-179, 179), chance.uniform(-75, 75))
        radius = chance.choice([2_000, 20_000, 60_000, 900_000, 4_000_000])
        got = client.geosearch("points", longitude=centre[0], latitude=centre[1], radius=radius, unit="m", sort="ASC", withdist=True)
        dist = {name: distance_m(centre, point) for name, point in everyone.items()}
        # Positions are rounded to 52 bits: whoever stands on the border itself may be on either side.
        sure, maybe = {n for n, d in dist.items() if d < radius - 2}, {n for n, d in dist.items() if d <= radius + 2}
        names = {name for name, _ in got}
        assert sure <= names <= maybe, (centre, radius, sure - names, names - maybe)
        distances = [metres for _, metres in got]
        equal(distances, sorted(distances))
        nearest = client.geosearch("points", longitude=centre[0], latitude=centre[1], radius=radius, unit="m", sort="ASC", count=5)
        equal(nearest, [name for name, _ in got][:5])
        some = client.geosearch("points", longitude=centre[0], latitude=centre[1], radius=radius, unit="m", count=3, any=True)
        assert len(some) == min(3, len(got)) and set(some) <= names, some


def results_are_stored_and_paged():
    client, chance = connect(), random.Random(5)
    fill(client, "shops", {f"s{number}": (2 + chance.random() / 5, 48 + chance.random() / 5) for number in range(100)})
    found = client.geosearchstore("near:me", "shops", longitude=2.1, latitude=48.1, radius=9, unit="km", storedist=True)
    assert 20 < found < 100, found
    client.expire("near:me", 60)
    by_distance = client.geosearch("shops", longitude=2.1, latitude=48.1, radius=9, unit="km", sort="ASC")
    pages = []
    for at in range(0, found, 10):
        pages += client.zrange("near:me", at, at + 9)
    equal(pages, by_distance)
    near(client.zscore("near:me", by_distance[0]), client.geosearch("shops", longitude=2.1, latitude=48.1, radius=9, unit="km", sort="ASC", count=1, withdist=True)[0][1], 1e-3)
    equal(client.geosearchstore("none", "shops", longitude=-100, latitude=0, radius=1, unit="km"), 0)
    equal(client.exists("none"), 0)


def drivers_move_while_riders_search():
    def drive(number):
        client, chance = connect(), random.Random(number)
        for _ in range(60):
            client.geoadd("drivers", [13.3 + chance.random() / 10, 52.4 + chance.random() / 10, f"d{number}"])

    def ride():
        client = connect()
        for _ in range(60):
            for name, metres in client.geosearch("drivers", longitude=13.35, latitude=52.45, radius=20, unit="km", withdist=True):
                assert name[0] == "d" and metres < 20, (name, metres)

    start(*[lambda number=number: drive(number) for number in range(4)], ride, ride)()
    client = connect()
    equal(client.zcard("drivers"), 4)
    equal(len(client.geosearch("drivers", longitude=13.35, latitude=52.45, radius=20, unit="km")), 4)
    client.zrem("drivers", "d0")
    equal(len(client.geosearch("drivers", longitude=13.35, latitude=52.45, radius=20, unit="km")), 3)


def conditions_and_errors():
    client = connect()
    fill(client, "c", {"a": (1, 1)})
    equal(client.geoadd("c", [2, 2, "a", 3, 3, "b"], nx=True), 1)
    equal(client.geoadd("c", [2, 2, "a", 4, 4, "x"], xx=True, ch=True), 1)
    near(client.geopos("c", "a")[0][0], 2, 1e-4)
    assert "invalid longitude,latitude" in refused(exceptions.ResponseError, client.geoadd, "c", [200, 0, "far"])
    assert "could not decode requested zset member" in refused(exceptions.ResponseError, client.geosearch, "c", member="nobody", radius=1, unit="km")
    client.set("text", "x")
    assert "WRONGTYPE" in refused(exceptions.ResponseError, client.geosearch, "text", member="a", radius=1, unit="km")


run(cities, a_search_finds_exactly_who_is_there, results_are_stored_and_paged, drivers_move_while_riders_search, conditions_and_errors)
