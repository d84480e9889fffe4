"""The edge network behind the interface of Gymnasium, extra `gym`: a thin adapter that holds no rule of the world.

Importing this package registers "edgediff/EdgeNetwork-v0". `gymnasium.make` gives one environment, `gymnasium.make_vec`
the batch of the simulator as one vector environment. Keyword arguments are the fields of `WorldConfig`, and
`first_env`, the number from which the traffic of the first environment is drawn. See README.md in this folder.
"""

try:
    import gymnasium
except ModuleNotFoundError:
    raise ImportError('edgediff.gym: needs gymnasium; pip install "edgediff[gym]"') from None

ID = "edgediff/EdgeNetwork-v0"

if ID not in gymnasium.registry:
    gymnasium.register(
        ID, "edgediff.gym.env:EdgeNetworkEnv", vector_entry_point="edgediff.gym.env:EdgeNetworkVectorEnv"
    )
