"""What vectors, lists and exposure give away of a sensitive attribute; arrays in, numbers out.

Knows neither runs nor datasets nor models: `pipelines` brings vectors, lists and attribute values.
"""
